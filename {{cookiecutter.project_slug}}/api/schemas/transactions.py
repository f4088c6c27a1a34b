"""Transactions, as clients see them."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.base import Line, RequestBody, ResponseBody
from api.schemas.moments import Moment
from api.schemas.money import Amount, Money


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
