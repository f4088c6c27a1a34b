"""Request and response bodies of transactions."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from api.schemas.base import RequestBody, ResponseBody, SingleLineStr
from api.schemas.datetimes import UtcDatetime
from api.schemas.money import Amount, Money


class TransactionCreate(RequestBody):
    """A new transaction; `occurred_at` is now by default."""

    amount: Amount
    description: Annotated[SingleLineStr, StringConstraints(max_length=200), Field(examples=["Groceries"])]
    occurred_at: UtcDatetime = Field(default_factory=lambda: datetime.now(UTC))


class TransactionRead(ResponseBody):
    """A transaction."""

    id: UUID
    budget_id: UUID
    amount: Money
    description: str = Field(examples=["Groceries"])
    occurred_at: datetime
