"""Users: their e-mail addresses are unique, and nobody's password is their address."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Row, bindparam, delete, insert, select, update
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


UnitOfWork = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a connection, and commits what was written on it when it is left."""

_COLUMNS = (User.id, User.email)
_ONE = select(*_COLUMNS, User.password_hash).where(User.id == bindparam("user_id"))
_INSERT = insert(User).returning(*_COLUMNS)


class UserService:
    """The rules of users. It takes its connection after the hash of a new password, which takes long."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work

    async def register(self, body: UserCreate) -> UserRead:
        """Add a user.

        Raises:
            PasswordIsEmailError: where the password is the address.
            EmailTakenError: where another user has the address.
        """
        _refuse_email(body.password, body.email)
        user = {"email": body.email, "password_hash": await _hash(body.password)}
        async with self._unit_of_work() as connection:
            return await _save(connection, _INSERT, user)

    async def get(self, user_id: UUID) -> UserRead:
        """Read a user.

        Raises:
            UserNotFoundError: where there is none.
        """
        async with self._unit_of_work() as connection:
            return UserRead.model_validate(await _find(connection, user_id))

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
        async with self._unit_of_work() as connection:
            user = await _find(connection, user_id)
            if not changes:
                return UserRead.model_validate(user)
            email = changes.get("email", user.email)
            if password:
                _refuse_email(password, email)
            elif await asyncio.to_thread(verify_password, email, user.password_hash):
                raise PasswordIsEmailError
            # It waits for a login that is just beginning, so that it ends too.
            saved = await _save(connection, update(User).where(User.id == user_id).returning(*_COLUMNS), changes)
            if password:
                await connection.execute(delete(Login).where(Login.user_id == user_id))
            return saved


async def _find(connection: AsyncConnection, user_id: UUID) -> Row[*tuple[Any, ...]]:
    user = (await connection.execute(_ONE, {"user_id": user_id})).one_or_none()
    if user is None:
        message = f"There is no user {user_id}."
        raise UserNotFoundError(message)
    return user


async def _save(connection: AsyncConnection, statement: Executable, values: dict[str, Any]) -> UserRead:
    """Let the database judge the address, the only rule that is not checked before."""
    try:
        row = (await connection.execute(statement, values)).one()
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
