"""Users: their e-mail addresses are unique, and nobody's password is their address."""

import asyncio
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

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


class UserService:
    """The rules of users."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def register(self, body: UserCreate) -> UserRead:
        """Add a user.

        Raises:
            PasswordIsEmailError: where the password is the address.
            EmailTakenError: where another user has the address.
        """
        user = User(email=body.email, password_hash=await _hash(body.password))
        _refuse_email(body.password, user.email)
        self._session.add(user)
        return await self._save(user)

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
        password = changes.get("password")
        password_hash = await _hash(password) if password else None  # before the first statement takes a connection
        user = await self._find(user_id)
        user.email = changes.get("email", user.email)
        if password and password_hash:
            _refuse_email(password, user.email)
            user.password_hash = password_hash
        elif "email" in changes and await asyncio.to_thread(verify_password, user.email, user.password_hash):
            raise PasswordIsEmailError
        saved = await self._save(user)  # waits for a login that is just beginning, so that it ends too
        if password:
            await self._session.execute(delete(Login).where(Login.user_id == user_id))
        return saved

    async def _find(self, user_id: UUID) -> User:
        user = await self._session.get(User, user_id)
        if user is None:
            message = f"There is no user {user_id}."
            raise UserNotFoundError(message)
        return user

    async def _save(self, user: User) -> UserRead:
        """Let the database judge the address, the only rule that is not checked before."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            message = "Another user has this e-mail address."
            raise EmailTakenError(message) from error
        return UserRead.model_validate(user)


async def _hash(password: str) -> str:
    """Hash a password beside the event loop."""
    return await asyncio.to_thread(hash_password, password)


def _refuse_email(password: str, email: str) -> None:
    if password.lower() == email:
        raise PasswordIsEmailError
