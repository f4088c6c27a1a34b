"""Moments and days: strings after RFC 3339, since a number would be read as seconds since 1970."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError


def only_moment(value: object) -> object:
    """Refuse a number, also one in quotes.

    Raises:
        PydanticCustomError: where `value` does not begin with a year.
    """
    if not isinstance(value, str) or not re.match(r"[0-9]{4}-", value):
        kind, rule = "moment", "A moment is a string such as 2026-01-31T12:00:00Z"
        raise PydanticCustomError(kind, rule)
    return value


def only_day(value: object) -> object:
    """Refuse a number, and a moment.

    Raises:
        PydanticCustomError: where `value` is not a year, a month and a day.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        kind, rule = "day", "A day is a string such as 2026-01-31"
        raise PydanticCustomError(kind, rule)
    return value


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


Moment = Annotated[AwareDatetime, BeforeValidator(only_moment), AfterValidator(to_utc)]
"""A moment with its zone, moved to UTC."""

Day = Annotated[date, BeforeValidator(only_day)]
"""A day of the calendar."""
