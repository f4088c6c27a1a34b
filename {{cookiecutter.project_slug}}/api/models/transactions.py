"""The `transactions` table."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship
from uuid_utils.compat import uuid7

from api.models.base import Base

if TYPE_CHECKING:
    from api.models.budgets import Budget


class Transaction(Base):
    """An amount spent from a budget; the database deletes it with its budget."""

    __tablename__ = "transactions"
    __table_args__ = (CheckConstraint("amount > 0", name="amount_is_positive"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    budget_id: Mapped[UUID] = mapped_column(ForeignKey("budgets.id", ondelete="CASCADE"))
    amount: Mapped[Decimal]
    description: Mapped[str] = mapped_column(String(200))
    occurred_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))

    budget: Mapped["Budget"] = relationship(back_populates="transactions", lazy="raise")


# For the list of a budget's transactions, newest first.
Index(None, Transaction.budget_id, Transaction.occurred_at.desc(), Transaction.id.desc())
