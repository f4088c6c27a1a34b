"""Dates and times: strings in the format of RFC 3339, since a number could be read as seconds since 1970."""

import re
from datetime import UTC, datetime
from typing import Annotated, LiteralString

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError


def require_format(error_type: LiteralString, pattern: str, message: LiteralString) -> BeforeValidator:
    """Return a validator that refuses everything but a string that matches `pattern`."""

    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise PydanticCustomError(error_type, message)
        return value

    return BeforeValidator(check)


def to_utc(value: datetime) -> datetime:
    """Convert an aware datetime to UTC; at both ends of the calendar that is impossible."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        error_type, message = "datetime_out_of_range", "The date and time is out of range in UTC"
        raise PydanticCustomError(error_type, message) from None


UtcDatetime = Annotated[
    AwareDatetime,
    require_format("datetime", r"(?s)[0-9]{4}-.*", "A date and time is a string such as 2026-01-31T12:00:00Z"),
    AfterValidator(to_utc),
    Field(examples=["2026-01-31T12:00:00Z"]),
]
"""A date and time with a time zone, converted to UTC."""
