"""Users: their e-mail addresses are unique, and nobody's password is their address."""

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
from api.services.security import hash_password, in_turn, verify_password


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
    """The rules of users. No connection is held while a password is hashed."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work

    async def register(self, body: UserCreate) -> UserRead:
        """Add a user.

        Raises:
            PasswordIsEmailError: where the password is the address.
            EmailTakenError: where another user has the address.
        """
        _refuse_email(body.password, body.email)
        user = {"email": body.email, "password_hash": await in_turn(hash_password, body.password)}
        async with self._unit_of_work() as connection:
            return UserRead.model_validate(await _save(connection, _INSERT, user))

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
        async with self._unit_of_work() as connection:
            user = await _find(connection, user_id)
        email = changes.get("email", user.email)
        if password:
            _refuse_email(password, email)
            changes["password_hash"] = await in_turn(hash_password, password)
        elif not changes:
            return UserRead.model_validate(user)
        elif await in_turn(verify_password, email, user.password_hash):
            raise PasswordIsEmailError
        same = update(User).where(
            User.id == user_id, User.email == user.email, User.password_hash == user.password_hash
        )
        async with self._unit_of_work() as connection:
            # It waits for a login that is just beginning, so that it ends too.
            saved = await _save(connection, same.returning(*_COLUMNS), changes)
            if saved is not None:
                if password:
                    await connection.execute(delete(Login).where(Login.user_id == user_id))
                return UserRead.model_validate(saved)
        return await self.update(user_id, body)  # what was compared has changed meanwhile


async def _find(connection: AsyncConnection, user_id: UUID) -> Row[*tuple[Any, ...]]:
    user = (await connection.execute(_ONE, {"user_id": user_id})).one_or_none()
    if user is None:
        message = f"There is no user {user_id}."
        raise UserNotFoundError(message)
    return user


async def _save(
    connection: AsyncConnection, statement: Executable, values: dict[str, Any]
) -> Row[*tuple[Any, ...]] | None:
    """Let the database judge the address, the only rule that is not checked before."""
    try:
        return (await connection.execute(statement, values)).one_or_none()
    except IntegrityError as error:
        message = "Another user has this e-mail address."
        raise EmailTakenError(message) from error


def _refuse_email(password: str, email: str) -> None:
    if password.lower() == email:
        raise PasswordIsEmailError
