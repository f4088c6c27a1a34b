"""The `users`, `refresh_sessions` and `login_attempts` tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, WriteOnlyMapped, mapped_column, relationship
from uuid_utils.compat import uuid7

from api.models.base import Base
from api.models.budgets import Budget  # option: example


class LoginAttempt(Base):
    """A password that was tried, or a registration; `address` is the client's IP address."""

    __tablename__ = "login_attempts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    email: Mapped[str] = mapped_column(String(254), index=True)
    address: Mapped[str] = mapped_column(String(45), index=True)
    attempted_at: Mapped[datetime] = mapped_column(index=True)


class User(Base):
    """A user, who logs in with a lower-case e-mail address and a password, which is stored as a hash."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("email"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(255))

    refresh_sessions: WriteOnlyMapped["RefreshSession"] = relationship(back_populates="user", passive_deletes=True)
    budgets: WriteOnlyMapped[Budget] = relationship(back_populates="owner", passive_deletes=True)  # option: example


class RefreshSession(Base):
    """What a login starts and a logout ends; `token_id` is the only refresh token of it that is valid."""

    __tablename__ = "refresh_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_id: Mapped[UUID] = mapped_column(default=uuid7)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    user: Mapped[User] = relationship(back_populates="refresh_sessions", lazy="raise")
