"""The base classes of request and response bodies, and a type for text."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

MAX_UNKNOWN_FIELDS = 20
"""Beyond so many, unknown fields are one error, since each error takes time."""


class RequestBody(BaseModel):
    """The base of request bodies; a field that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _limit_fields(cls, body: object) -> object:
        if isinstance(body, dict) and len(body) > len(cls.model_fields) + MAX_UNKNOWN_FIELDS:
            kind, message = "too_many_fields", "Too many fields"
            raise PydanticCustomError(kind, message)
        return body


class ResponseBody(BaseModel):
    """The base of response bodies; it is validated from the attributes of what a service returns."""

    model_config = ConfigDict(from_attributes=True, hide_input_in_errors=True)


_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029"

SingleLineStr = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, pattern=rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$"
    ),
]
"""One line of text: not blank, without control characters, and stripped of white space at both ends."""
