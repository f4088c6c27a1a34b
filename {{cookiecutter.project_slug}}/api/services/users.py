"""Users: their e-mail addresses are unique, and nobody's password is their address."""

import asyncio
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.models import RefreshToken, User
from api.schemas.users import UserCreate, UserRead, UserUpdate
from api.services.errors import ConflictError, InvalidError, NotFoundError
from api.services.security import hash_password, verify_password

CHOOSE_ANOTHER = "Choose a password that is not the e-mail address."


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
        user = User(email=body.email)
        await self._set_password(user, body.password)
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
        user = await self._find(user_id)
        changes = body.model_dump()
        user.email = changes.get("email", user.email)
        if "password" in changes:
            await self._set_password(user, changes["password"])
            await self._session.execute(delete(RefreshToken).where(RefreshToken.user_id == user_id))
        elif "email" in changes and await asyncio.to_thread(verify_password, user.email, user.password_hash):
            raise PasswordIsEmailError(CHOOSE_ANOTHER)
        return await self._save(user)

    async def _find(self, user_id: UUID) -> User:
        user = await self._session.get(User, user_id)
        if user is None:
            message = f"There is no user {user_id}."
            raise UserNotFoundError(message)
        return user

    async def _set_password(self, user: User, password: str) -> None:
        if password.lower() == user.email:
            raise PasswordIsEmailError(CHOOSE_ANOTHER)
        user.password_hash = await asyncio.to_thread(hash_password, password)

    async def _save(self, user: User) -> UserRead:
        """Let the database judge the address, the only rule that is not checked before."""
        try:
            await self._session.flush()
        except IntegrityError as error:
            message = "Another user has this e-mail address."
            raise EmailTakenError(message) from error
        return UserRead.model_validate(user)
