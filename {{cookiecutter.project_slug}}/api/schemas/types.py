"""Types of fields: amounts of money, dates and times.

They are strings: many clients read a JSON number as a binary floating-point number, and a number could be read as
seconds since 1970. The format of dates and times is that of RFC 3339.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, LiteralString

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

POSITIVE_AMOUNT = r"^(?!0+(\.0+)?$)[0-9]{1,12}(\.[0-9]{1,2})?$"


def parse_amount(value: object) -> Decimal:
    """Parse a positive amount below 10^12 with at most two decimal places."""
    if not isinstance(value, str) or not re.fullmatch(POSITIVE_AMOUNT, value):
        kind, rule = "amount", 'An amount is a string such as "12.50": positive, below 10^12, with at most two places'
        raise PydanticCustomError(kind, rule)
    return Decimal(value)


def format_amount(value: Decimal) -> str:
    """Format an amount with two decimal places."""
    return f"{value:.2f}"


Amount = Annotated[
    Decimal,
    BeforeValidator(parse_amount),
    WithJsonSchema({"type": "string", "pattern": POSITIVE_AMOUNT, "examples": ["12.50"]}),
]
"""A positive amount in a request."""

Money = Annotated[
    Decimal,
    PlainSerializer(format_amount),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$", "examples": ["12.50"]}),
]
"""An amount in a response, which may be zero."""


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
