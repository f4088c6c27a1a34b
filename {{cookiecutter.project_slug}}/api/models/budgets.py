"""Budgets."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,  # option: auth
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from api.models.base import Base


class Budget(Base):
    """A limit, and what has been spent of it.

    `spent` is the sum of the transactions' amounts, and `transaction_count` their number. They stand here, so that
    spending is one conditional update of one row: the limit holds however many spend at once, and neither a summary nor
    a page takes longer the more transactions there are.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        UniqueConstraint(
            "owner_id",  # option: auth
            "name",
        ),
        CheckConstraint('"limit" > 0', name="limit_is_positive"),
        CheckConstraint('spent BETWEEN 0 AND "limit"', name="spent_is_within_limit"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))  # option: auth
    name: Mapped[str] = mapped_column(String(80))
    limit: Mapped[Decimal]
    spent: Mapped[Decimal] = mapped_column(default=Decimal(0))
    transaction_count: Mapped[int] = mapped_column(BigInteger, default=0)
