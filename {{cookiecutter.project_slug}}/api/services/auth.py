"""Logins: tokens are issued for a password, refreshed once each, and attempts are limited.

These rules open their own sessions: a failed attempt and the end of a refresh session must be committed although the
request fails, and no database connection is held while a password is hashed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from uuid_utils.compat import uuid7

from api.models import LoginAttempt, RefreshSession, User
from api.services.errors import UnauthenticatedError
from api.services.security import (
    InvalidTokenError,
    TokenClaims,
    TokenSigner,
    TokenType,
    hash_in_thread,
    reserve_hashing,
    verify_password,
)
from api.services.sessions import ActiveSessions, SessionFactory, get_now, record_attempt, same_attempts

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)


class InvalidCredentialsError(UnauthenticatedError):
    """The e-mail address or the password is wrong; the response does not reveal which."""

    code, title = "invalid-credentials", "The e-mail address or the password is wrong"


@dataclass(frozen=True)
class IssuedTokens:
    """What a login or a refresh returns; `expires_in` is the lifetime of the access token in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int = int(ACCESS_LIFETIME.total_seconds())


class AuthService:
    """The business logic of logins."""

    def __init__(self, open_session: SessionFactory, signer: TokenSigner, active: ActiveSessions) -> None:
        self._open_session = open_session
        self._signer = signer
        self._active = active

    async def login(self, email: str, password: str, address: str) -> IssuedTokens:
        """Start a refresh session, or raise `TooManyAttemptsError` or `InvalidCredentialsError`.

        An unknown e-mail address is refused like a wrong password, and takes as long.
        """
        with reserve_hashing():
            await record_attempt(self._open_session, email, address)
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
            now = await get_now(session)
            await session.execute(delete(LoginAttempt).where(same_attempts(email, address)))
            await session.execute(delete(RefreshSession).where(RefreshSession.expires_at < now))
            refresh_session = RefreshSession(user_id=user_id, expires_at=now + REFRESH_LIFETIME)
            session.add(refresh_session)
            await session.flush()
            return self._issue(refresh_session, now)

    async def refresh(self, token: str) -> IssuedTokens:
        """Exchange a refresh token for new tokens, or raise `InvalidTokenError`.

        A token that is used a second time was stolen, so its session ends.
        """
        claims = self._signer.verify(TokenType.REFRESH, token)
        async with self._open_session() as session:
            now = await get_now(session)
            exchange = (
                update(RefreshSession)
                .where(RefreshSession.id == claims.session_id, RefreshSession.token_id == claims.token_id)
                .where(RefreshSession.expires_at > now)
                .values(token_id=uuid7(), expires_at=now + REFRESH_LIFETIME)
                .returning(RefreshSession)
            )
            refresh_session = await session.scalar(exchange)
            if refresh_session is not None:
                return self._issue(refresh_session, now)
        await self._end(claims)
        message = "The token is used already, or its session has ended."
        raise InvalidTokenError(message)

    async def logout(self, token: str) -> None:
        """End the session of a refresh token, and its access tokens with it, or raise `InvalidTokenError`."""
        await self._end(self._signer.verify(TokenType.REFRESH, token))

    async def _end(self, claims: TokenClaims) -> None:
        async with self._open_session() as session:
            await session.execute(delete(RefreshSession).where(RefreshSession.id == claims.session_id))
        self._active.forget(claims.session_id)

    def _issue(self, session: RefreshSession, now: datetime) -> IssuedTokens:
        access = TokenClaims(session.user_id, session.id, uuid7())
        refresh = TokenClaims(session.user_id, session.id, session.token_id)
        return IssuedTokens(
            access_token=self._signer.sign(TokenType.ACCESS, access, now, ACCESS_LIFETIME),
            refresh_token=self._signer.sign(TokenType.REFRESH, refresh, now, REFRESH_LIFETIME),
        )
