"""What `auth.py` and `users.py` share: the sessions of logins, and the number of attempts at passwords."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from math import ceil, inf
from time import monotonic
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from api.models import LoginAttempt, RefreshSession
from api.models.base import UtcDateTime
from api.services.errors import TooManyAttemptsError
from api.services.security import InvalidTokenError

SESSION_CHECK_SECONDS = 10.0
"""How long a process takes a session for active that another process may have ended."""

MAX_SESSIONS = 100_000
"""How many a process remembers."""

WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_ACCOUNT = 10
ATTEMPTS_PER_ADDRESS = 100
"""The numbers of attempts from one address, at one account and in all, within the window, after which the next waits.

They are not counted for the account alone, since any stranger could then keep its owner out.
"""

_IS_ACTIVE = select(RefreshSession.id).where(
    RefreshSession.id == bindparam("session"), RefreshSession.expires_at > func.now()
)


class SessionFactory(Protocol):
    """The type of `Database.session`."""

    def __call__(self, *, readonly: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session that is committed at the end."""


class ActiveSessions:
    """Checks that the sessions of access tokens have not ended, each at most every `SESSION_CHECK_SECONDS`.

    So an access token ends with its session: at once in the process that ends it, and in others within that time.
    """

    def __init__(self, open_session: SessionFactory) -> None:
        self._open_session = open_session
        self._checked: dict[UUID, float] = {}
        self._ended = 0

    async def check(self, session_id: UUID) -> None:
        """Return if the session is active, or raise `InvalidTokenError`."""
        now, ended = monotonic(), self._ended
        if now < self._checked.get(session_id, -inf) + SESSION_CHECK_SECONDS:
            return
        async with self._open_session(readonly=True) as session:
            if await session.scalar(_IS_ACTIVE, {"session": session_id}) is None:
                message = "The session of the token has ended."
                raise InvalidTokenError(message)
        if len(self._checked) >= MAX_SESSIONS:
            self._checked.clear()
        if ended == self._ended:  # else a session has ended since it was read
            self._checked[session_id] = now

    def forget(self, session_id: UUID | None = None) -> None:
        """Check a session, or all, the next time: it may have ended."""
        self._ended += 1
        if session_id is None:
            self._checked.clear()
        else:
            self._checked.pop(session_id, None)


async def get_now(session: AsyncSession) -> datetime:
    """Return the time of the database's clock, which all servers share."""
    return (await session.execute(select(type_coerce(func.now(), UtcDateTime)))).scalar_one()


async def record_attempt(open_session: SessionFactory, email: str, address: str) -> None:
    """Record an attempt at a password, or a registration, or raise `TooManyAttemptsError`.

    It is recorded first and counted then, so that concurrent attempts are all counted.
    """
    attempt = LoginAttempt(email=email, address=address)
    async with open_session() as session:
        now = attempt.attempted_at = await get_now(session)
        await session.execute(delete(LoginAttempt).where(LoginAttempt.attempted_at < now - WINDOW))
        session.add(attempt)
    async with open_session() as session:
        wait = max(
            await _seconds_to_wait(session, now, same_attempts(email, address), ATTEMPTS_PER_ACCOUNT),
            await _seconds_to_wait(session, now, LoginAttempt.address == address, ATTEMPTS_PER_ADDRESS),
        )
        if wait:
            await session.delete(attempt)
    if wait:
        raise TooManyAttemptsError(wait)


def same_attempts(email: str, address: str) -> ColumnElement[bool]:
    """Return the condition for attempts from an address at an account."""
    return (LoginAttempt.email == email) & (LoginAttempt.address == address)


async def _seconds_to_wait(session: AsyncSession, now: datetime, same: ColumnElement[bool], limit: int) -> int:
    """Return the seconds until less than `limit` attempts are within the window, or 0; the newest does not count."""
    newest_first = select(LoginAttempt.attempted_at).where(same).order_by(LoginAttempt.attempted_at.desc())
    blocking = await session.scalar(newest_first.offset(limit).limit(1))
    return max(1, ceil((blocking + WINDOW - now).total_seconds())) if blocking else 0
