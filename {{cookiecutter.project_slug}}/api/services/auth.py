"""Logins: who may have tokens, how often that may be tried, and how long it lasts.

An attempt that fails must be remembered, and so must the end of a login. So these rules take units of work and
commit each of their own, where others have one that is undone by an error. No connection is held while a password
is hashed.
"""

from datetime import UTC, datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from api.models import Login, LoginAttempt, User
from api.schemas.auth import TokenPair
from api.services.errors import TooManyAttemptsError, UnauthenticatedError
from api.services.security import InvalidTokenError, Purpose, TokenSigner, in_turn, verify_password
from api.services.users import UnitOfWork

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)

WINDOW = timedelta(minutes=15)
ATTEMPTS_PER_ACCOUNT = 10
ATTEMPTS_PER_ADDRESS = 100
"""Failed logins within the window, after which the next one has to wait."""


class WrongCredentialsError(UnauthenticatedError):
    """The address or the password is wrong; which of them stays unsaid."""

    code = "wrong-credentials"
    title = "Wrong e-mail address or password"

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong.")


class TooManyLoginsError(TooManyAttemptsError):
    """This account, or this address, has to wait."""

    code = "too-many-logins"
    title = "Too many logins"


class AuthService:
    """The rules of logins."""

    def __init__(self, unit_of_work: UnitOfWork, signer: TokenSigner) -> None:
        self._unit_of_work = unit_of_work
        self._signer = signer

    async def login(self, email: str, password: str, address: str) -> TokenPair:
        """Begin a login; an unknown e-mail takes the same path as a wrong password, and as long.

        Raises:
            TooManyLoginsError: where too many have failed lately.
            WrongCredentialsError: where the e-mail is unknown or the password wrong.
        """
        await self._note_attempt(email, address)
        async with self._unit_of_work() as connection:
            password_hash = await connection.scalar(select(User.password_hash).where(User.email == email))
        if not await in_turn(verify_password, password, password_hash):
            raise WrongCredentialsError
        async with self._unit_of_work() as connection:
            # The lock lets a change of the password come before or after, and end this login too.
            same = select(User.id).where(User.email == email, User.password_hash == password_hash)
            user_id = await connection.scalar(same.with_for_update(read=True))
            if user_id is None:
                raise WrongCredentialsError
            await connection.execute(delete(LoginAttempt).where(LoginAttempt.email == email))
            await connection.execute(delete(Login).where(Login.expires_at < datetime.now(UTC)))
            login_id, token_id = uuid7(), uuid7()
            login = {"id": login_id, "user_id": user_id, "token_id": token_id, "expires_at": _expiry()}
            await connection.execute(insert(Login), login)
            return self._issue(user_id, login_id, token_id)

    async def refresh(self, token: str) -> TokenPair:
        """Spend a refresh token for the next pair. One that is spent twice was stolen, so its login ends.

        Raises:
            InvalidTokenError: where the token is not valid, or spent.
        """
        login_id, token_id = self._signer.read(Purpose.REFRESH, token)
        next_id = uuid7()
        spend = (
            update(Login)
            .where(Login.id == login_id, Login.token_id == token_id)
            .values(token_id=next_id, expires_at=_expiry())
            .returning(Login.user_id)
        )
        async with self._unit_of_work() as connection:
            user_id = await connection.scalar(spend)
            if user_id is not None:
                return self._issue(user_id, login_id, next_id)
            await connection.execute(delete(Login).where(Login.id == login_id))
        message = "The token is spent, or its login has ended."
        raise InvalidTokenError(message)

    async def logout(self, token: str) -> None:
        """End the login of a refresh token; access tokens run out by themselves.

        Raises:
            InvalidTokenError: where the token is not valid.
        """
        login_id, _ = self._signer.read(Purpose.REFRESH, token)
        async with self._unit_of_work() as connection:
            await connection.execute(delete(Login).where(Login.id == login_id))

    async def _note_attempt(self, email: str, address: str) -> None:
        """Note first, then count: however many try at once, none is overlooked."""
        attempt = {"id": uuid7(), "email": email, "address": address}
        async with self._unit_of_work() as connection:
            await connection.execute(delete(LoginAttempt).where(LoginAttempt.at < datetime.now(UTC) - WINDOW))
            await connection.execute(insert(LoginAttempt), attempt)
        async with self._unit_of_work() as connection:
            wait = max(
                await self._wait(connection, LoginAttempt.email == email, ATTEMPTS_PER_ACCOUNT),
                await self._wait(connection, LoginAttempt.address == address, ATTEMPTS_PER_ADDRESS),
            )
            if wait:
                await connection.execute(delete(LoginAttempt).where(LoginAttempt.id == attempt["id"]))
        if wait:
            message = f"Try again in {wait} seconds."
            raise TooManyLoginsError(message, retry_after=wait)

    async def _wait(self, connection: AsyncConnection, same: ColumnElement[bool], limit: int) -> int:
        """Tell for how many seconds no more attempts are allowed."""
        newest = select(LoginAttempt.at).where(same).order_by(LoginAttempt.at.desc())
        count = await connection.scalar(select(func.count()).select_from(newest.subquery())) or 0
        if count <= limit:
            return 0
        frees = await connection.scalar(newest.offset(limit).limit(1))  # this attempt is the first, and does not count
        return max(1, ceil((frees + WINDOW - datetime.now(UTC)).total_seconds())) if frees else 1

    def _issue(self, user_id: UUID, login_id: UUID, refresh_id: UUID) -> TokenPair:
        """Sign an access token about the user, and a refresh token about the login."""
        return TokenPair(
            access_token=self._signer.sign(Purpose.ACCESS, user_id, uuid7(), ACCESS_LIFETIME),
            refresh_token=self._signer.sign(Purpose.REFRESH, login_id, refresh_id, REFRESH_LIFETIME),
            expires_in=int(ACCESS_LIFETIME.total_seconds()),
        )


def _expiry() -> datetime:
    return datetime.now(UTC) + REFRESH_LIFETIME
