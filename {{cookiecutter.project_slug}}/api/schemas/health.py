"""Who answers, and how it is."""

from typing import Literal

from pydantic import BaseModel


class About(BaseModel):
    """Which backend this is, and where its documentation lies, where it is shown."""

    name: str
    version: str
    docs: str | None


class Health(BaseModel):
    """It works."""

    status: Literal["ok"] = "ok"
