"""The two bases of all shapes, what comes in and what goes out, and the simplest shapes of values."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError


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

Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
"""Text of any number of lines, not empty: of the control characters only tabs and line feeds."""


def only_number(value: object) -> object:
    """Refuse a number in quotes, and true and false, which count as 1 and 0 elsewhere.

    Raises:
        PydanticCustomError: where `value` is one of them.
    """
    if isinstance(value, str | bool):
        kind, rule = "number", "A number stands without quotes"
        raise PydanticCustomError(kind, rule)
    return value


Integer = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), BeforeValidator(only_number)]
"""A whole number that the databases keep in 32 bits; 1.0 is one too, as in JSON Schema."""
