"""Logins: tokens are issued for a password, refreshed once each, and attempts are limited.

These rules open their own sessions: a failed attempt and the end of a refresh session must be committed although the
request fails, and no database connection is held while a password is hashed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from api.models import LoginAttempt, RefreshSession, User
from api.services.errors import TooManyAttemptsError, UnauthenticatedError
from api.services.security import InvalidTokenError, TokenSigner, TokenType, hash_in_thread, verify_password
from api.services.users import SessionFactory

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)

WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_ACCOUNT = 10
ATTEMPTS_PER_ADDRESS = 100
"""The numbers of failed logins within the window after which the next one is refused."""


class InvalidCredentialsError(UnauthenticatedError):
    """The e-mail address or the password is wrong; the response does not reveal which."""

    code, title = "invalid-credentials", "The e-mail address or the password is wrong"


class TooManyLoginsError(TooManyAttemptsError):
    """Too many logins of this account or from this IP address have failed."""

    code, title = "too-many-logins", "Too many logins"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} seconds.")
        self.retry_after = retry_after


@dataclass(frozen=True)
class IssuedTokens:
    """What a login or a refresh returns; `expires_in` is the lifetime of the access token in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int = int(ACCESS_LIFETIME.total_seconds())


class AuthService:
    """The business logic of logins."""

    def __init__(self, open_session: SessionFactory, signer: TokenSigner) -> None:
        self._open_session = open_session
        self._signer = signer

    async def login(self, email: str, password: str, address: str) -> IssuedTokens:
        """Start a refresh session, or raise `TooManyLoginsError` or `InvalidCredentialsError`.

        An unknown e-mail address is refused like a wrong password, and takes as long.
        """
        await self._record_attempt(email, address)
        async with self._open_session(readonly=True) as session:
            password_hash = await session.scalar(select(User.password_hash).where(User.email == email))
        if not await hash_in_thread(verify_password, password, password_hash):
            raise InvalidCredentialsError
        async with self._open_session() as session:
            # The lock waits for a change of the password, or makes it wait and end this session too.
            unchanged = select(User.id).where(User.email == email, User.password_hash == password_hash)
            user_id = await session.scalar(unchanged.with_for_update(read=True))
            if user_id is None:
                raise InvalidCredentialsError
            await session.execute(delete(LoginAttempt).where(LoginAttempt.email == email))
            await session.execute(delete(RefreshSession).where(RefreshSession.expires_at < datetime.now(UTC)))
            refresh_session = RefreshSession(user_id=user_id, expires_at=datetime.now(UTC) + REFRESH_LIFETIME)
            session.add(refresh_session)
            await session.flush()
            return self._issue(refresh_session)

    async def refresh(self, token: str) -> IssuedTokens:
        """Exchange a refresh token for new tokens, or raise `InvalidTokenError`.

        A token that is used a second time was stolen, so its session ends.
        """
        session_id, token_id = self._signer.verify(TokenType.REFRESH, token)
        exchange = (
            update(RefreshSession)
            .where(RefreshSession.id == session_id, RefreshSession.token_id == token_id)
            .values(token_id=uuid7(), expires_at=datetime.now(UTC) + REFRESH_LIFETIME)
            .returning(RefreshSession)
        )
        async with self._open_session() as session:
            refresh_session = await session.scalar(exchange)
            if refresh_session is not None:
                return self._issue(refresh_session)
            await session.execute(delete(RefreshSession).where(RefreshSession.id == session_id))
        message = "The token is used already, or its session has ended."
        raise InvalidTokenError(message)

    async def logout(self, token: str) -> None:
        """End the session of a refresh token, or raise `InvalidTokenError`; access tokens are valid until they expire."""
        session_id, _ = self._signer.verify(TokenType.REFRESH, token)
        async with self._open_session() as session:
            await session.execute(delete(RefreshSession).where(RefreshSession.id == session_id))

    async def _record_attempt(self, email: str, address: str) -> None:
        """Record the attempt first and count then, so that concurrent attempts are all counted."""
        attempt = LoginAttempt(email=email, address=address)
        async with self._open_session() as session:
            expired = LoginAttempt.attempted_at < datetime.now(UTC) - WINDOW
            await session.execute(delete(LoginAttempt).where(expired))
            session.add(attempt)
        async with self._open_session() as session:
            wait = max(
                await _seconds_to_wait(session, LoginAttempt.email == email, ATTEMPTS_PER_ACCOUNT),
                await _seconds_to_wait(session, LoginAttempt.address == address, ATTEMPTS_PER_ADDRESS),
            )
            if wait:
                await session.delete(attempt)
        if wait:
            raise TooManyLoginsError(wait)

    def _issue(self, session: RefreshSession) -> IssuedTokens:
        return IssuedTokens(
            access_token=self._signer.sign(TokenType.ACCESS, session.user_id, uuid7(), ACCESS_LIFETIME),
            refresh_token=self._signer.sign(TokenType.REFRESH, session.id, session.token_id, REFRESH_LIFETIME),
        )


async def _seconds_to_wait(session: AsyncSession, same: ColumnElement[bool], limit: int) -> int:
    """Return the seconds until less than `limit` attempts are within the window, or 0; the newest does not count."""
    newest_first = select(LoginAttempt.attempted_at).where(same).order_by(LoginAttempt.attempted_at.desc())
    count = await session.scalar(select(func.count()).select_from(newest_first.subquery())) or 0
    if count <= limit:
        return 0
    blocking = await session.scalar(newest_first.offset(limit).limit(1))
    return max(1, ceil((blocking + WINDOW - datetime.now(UTC)).total_seconds())) if blocking else 1
