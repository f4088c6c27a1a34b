"""Request and response bodies of transactions."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import Field

from api.schemas.base import RequestBody, ResponseBody, SingleLineStr
from api.schemas.types import Amount, Money, UtcDatetime


class TransactionCreate(RequestBody):
    """A new transaction; `occurred_at` is now by default."""

    amount: Amount
    description: SingleLineStr = Field(max_length=200, examples=["Groceries"])
    occurred_at: UtcDatetime = Field(default_factory=lambda: datetime.now(UTC))


class TransactionRead(ResponseBody):
    """A transaction."""

    id: UUID
    budget_id: UUID
    amount: Money
    description: str = Field(examples=["Groceries"])
    occurred_at: datetime
