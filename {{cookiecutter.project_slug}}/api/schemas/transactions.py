"""Transactions, as clients see them."""

import re
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from api.schemas.base import Line, RequestBody, ResponseBody
from api.schemas.money import Amount, Money


def only_text(value: object) -> object:
    """Refuse a number, also one in quotes, which would be read as seconds since 1970.

    Raises:
        PydanticCustomError: where `value` does not begin with a year.
    """
    if not isinstance(value, str) or not re.match(r"[0-9]{4}-", value):
        kind, rule = "moment", "A moment is a string such as 2026-01-31T12:00:00Z"
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


Moment = Annotated[AwareDatetime, BeforeValidator(only_text), AfterValidator(to_utc)]


class TransactionCreate(RequestBody):
    """Money to spend; without `occurred_at` it is spent now."""

    amount: Amount
    description: Annotated[Line, StringConstraints(max_length=200)]
    occurred_at: Moment = Field(default_factory=lambda: datetime.now(UTC))


class TransactionRead(ResponseBody):
    """Money spent."""

    id: UUID
    budget_id: UUID
    amount: Money
    description: str
    occurred_at: datetime
