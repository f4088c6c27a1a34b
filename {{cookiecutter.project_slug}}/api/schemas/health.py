"""Response bodies of the root and the health routes."""

from typing import Literal

from pydantic import BaseModel


class About(BaseModel):
    """The name and version of the API; `docs` is the path of its documentation, if that is shown."""

    name: str
    version: str
    docs: str | None


class Health(BaseModel):
    """The process is healthy."""

    status: Literal["ok"] = "ok"
