"""Amounts of money: decimal strings, since many clients read a JSON number as a binary floating-point number."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
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
