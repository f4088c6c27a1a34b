"""The `budgets` table."""

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,  # option: auth
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, WriteOnlyMapped, mapped_column, relationship
from uuid_utils.compat import uuid7

from api.models.base import Base

if TYPE_CHECKING:
    from api.models.transactions import Transaction
    from api.models.users import User  # option: auth


class Budget(Base):
    """A limit, and how much of it is spent.

    `spent` is the sum of the transactions' amounts and `transaction_count` is their number. Both are stored here, so that
    spending is one conditional UPDATE of one row: concurrent requests can't exceed the limit, and reading either value
    takes the same time however many transactions there are.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        UniqueConstraint(
            "owner_id",  # option: auth
            "name",
            name="uq_budgets_name",
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

    owner: Mapped["User"] = relationship(back_populates="budgets", lazy="raise")  # option: auth
    transactions: WriteOnlyMapped["Transaction"] = relationship(back_populates="budget", passive_deletes=True)

    @property
    def remaining(self) -> Decimal:
        """The amount that can still be spent."""
        return self.limit - self.spent
