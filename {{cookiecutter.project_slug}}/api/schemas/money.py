"""Exact amounts of money: decimal strings, since a JSON number passes through binary fractions in many clients."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

POSITIVE_AMOUNT = r"^(?!0+(\.0+)?$)[0-9]{1,12}(\.[0-9]{1,2})?$"


def read_amount(value: object) -> Decimal:
    """Read a positive amount below 10^12 with at most two places.

    Raises:
        PydanticCustomError: where `value` is no such string.
    """
    if not isinstance(value, str) or not re.fullmatch(POSITIVE_AMOUNT, value):
        kind, rule = "amount", 'An amount is a string such as "12.50": positive, below 10^12, with at most two places'
        raise PydanticCustomError(kind, rule)
    return Decimal(value)


def write_amount(value: Decimal) -> str:
    """Write both places, always."""
    return f"{value:.2f}"


Amount = Annotated[
    Decimal,
    BeforeValidator(read_amount),
    WithJsonSchema({"type": "string", "pattern": POSITIVE_AMOUNT, "examples": ["12.50"]}),
]
"""A positive amount, as a client sends it."""

Money = Annotated[
    Decimal,
    PlainSerializer(write_amount),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$", "examples": ["12.50"]}),
]
"""An amount, as we answer it; it may be zero."""
