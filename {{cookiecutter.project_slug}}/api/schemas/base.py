"""The two bases of all shapes: what comes in, and what goes out."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class RequestBody(BaseModel):
    """What a client sends: unknown fields are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class ResponseBody(BaseModel):
    """What we answer: read from a row or an entity by the names of its attributes."""

    model_config = ConfigDict(from_attributes=True)


_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"

Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, pattern=rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$"
    ),
]
"""One line of text, not blank: no control characters."""
