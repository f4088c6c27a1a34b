"""Moments and days: strings after RFC 3339, since a number would be read as seconds since 1970."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, LiteralString

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError


def only(kind: LiteralString, written: str, rule: LiteralString) -> BeforeValidator:
    """Refuse a number, also one in quotes, and whatever else is not written so."""

    def check(value: object) -> object:
        if not isinstance(value, str) or not re.fullmatch(written, value):
            raise PydanticCustomError(kind, rule)
        return value

    return BeforeValidator(check)


def to_utc(value: datetime) -> datetime:
    """Move a moment to UTC.

    Raises:
        PydanticCustomError: at the ends of the calendar, where it has no place in UTC.
    """
    try:
        return value.astimezone(UTC)
    except OverflowError:
        kind, rule = "moment_out_of_range", "The moment is out of range in UTC"
        raise PydanticCustomError(kind, rule) from None


Moment = Annotated[
    AwareDatetime,
    only("moment", r"(?s)[0-9]{4}-.*", "A moment is a string such as 2026-01-31T12:00:00Z"),
    AfterValidator(to_utc),
]
"""A moment with its zone, moved to UTC."""

Day = Annotated[date, only("day", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "A day is a string such as 2026-01-31")]
"""A day of the calendar."""
