"""Users: their e-mail addresses are unique, and nobody's password is their address."""

import asyncio
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, Row, Update, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.models import Login, User
from api.schemas.users import UserCreate, UserRead, UserUpdate
from api.services.errors import ConflictError, InvalidError, NotFoundError
from api.services.security import hash_password, verify_password


class UserNotFoundError(NotFoundError):
    """There is no such user, or no longer."""

    code = "user-not-found"
    title = "No such user"


class EmailTakenError(ConflictError):
    """Another user has the address."""

    code = "email-taken"
    title = "The e-mail address is taken"


class PasswordIsEmailError(InvalidError):
    """The password is what everybody would try first."""

    code = "password-is-email"
    title = "The password is the e-mail address"

    def __init__(self) -> None:
        super().__init__("Choose a password that is not the e-mail address.")


_COLUMNS = (User.id, User.email)
_ONE = select(*_COLUMNS, User.password_hash).where(User.id == bindparam("user_id"))
_INSERT = insert(User).returning(*_COLUMNS)
_UPDATE = update(User).where(User.id == bindparam("user_id")).returning(*_COLUMNS)


class UserService:
    """The rules of users."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def register(self, body: UserCreate) -> UserRead:
        """Add a user.

        Raises:
            PasswordIsEmailError: where the password is the address.
            EmailTakenError: where another user has the address.
        """
        user = {"email": body.email, "password_hash": await _hash(body.password)}
        _refuse_email(body.password, body.email)
        return await self._save(_INSERT, user)

    async def get(self, user_id: UUID) -> UserRead:
        """Read a user.

        Raises:
            UserNotFoundError: where there is none.
        """
        return UserRead.model_validate(await self._find(user_id))

    async def update(self, user_id: UUID, body: UserUpdate) -> UserRead:
        """Change what the body names; a new password ends all logins.

        Raises:
            UserNotFoundError: where there is none.
            PasswordIsEmailError: where the password is the address.
            EmailTakenError: where another user has the address.
        """
        changes = body.model_dump()
        password = changes.pop("password", None)
        if password:
            changes["password_hash"] = await _hash(password)
        user = await self._find(user_id)
        email = changes.get("email", user.email)
        if password:
            _refuse_email(password, email)
        elif "email" in changes and await asyncio.to_thread(verify_password, email, user.password_hash):
            raise PasswordIsEmailError
        if not changes:
            return UserRead.model_validate(user)
        # Waits for a login that is just beginning, so that it ends too.
        saved = await self._save(_UPDATE, {"user_id": user_id, **changes})
        if password:
            await self._connection.execute(delete(Login).where(Login.user_id == user_id))
        return saved

    async def _find(self, user_id: UUID) -> Row[UUID, str, str]:
        user = (await self._connection.execute(_ONE, {"user_id": user_id})).one_or_none()
        if user is None:
            message = f"There is no user {user_id}."
            raise UserNotFoundError(message)
        return user

    async def _save(self, statement: Insert | Update, user: dict[str, Any]) -> UserRead:
        """Let the database judge the address, the only rule that is not checked before."""
        try:
            row = (await self._connection.execute(statement, user)).one()
        except IntegrityError as error:
            message = "Another user has this e-mail address."
            raise EmailTakenError(message) from error
        return UserRead.model_validate(row)


async def _hash(password: str) -> str:
    """Hash a password beside the event loop."""
    return await asyncio.to_thread(hash_password, password)


def _refuse_email(password: str, email: str) -> None:
    if password.lower() == email:
        raise PasswordIsEmailError
