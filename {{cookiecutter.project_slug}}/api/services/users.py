"""Users: an e-mail address belongs to one user, and is not the password."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from api.models import RefreshSession, User
from api.schemas.users import UserCreate, UserUpdate
from api.services.errors import ConflictError, InvalidError, UnauthenticatedError, translate_violations
from api.services.security import hash_in_thread, hash_password, verify_password


class UserNotFoundError(UnauthenticatedError):
    """The user that an access token was issued for does not exist any more."""

    code, title = "user-not-found", "The user of the access token does not exist"


class EmailTakenError(ConflictError):
    """Another user has the e-mail address."""

    code, title = "email-taken", "The e-mail address is taken"


class PasswordIsEmailError(InvalidError):
    """The password is the e-mail address, which is easy to guess."""

    code, title = "password-is-email", "The password is the e-mail address"


class SessionFactory(Protocol):
    """The type of `Database.session`."""

    def __call__(self, *, readonly: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session that is committed at the end."""


class UserService:
    """The business logic of users; its own sessions hold no connection while a password is hashed."""

    def __init__(self, open_session: SessionFactory) -> None:
        self._open_session = open_session

    async def register(self, body: UserCreate) -> User:
        """Add a user, or raise `PasswordIsEmailError` or `EmailTakenError`."""
        _refuse_email(body.password, body.email)
        user = User(email=body.email, password_hash=await hash_in_thread(hash_password, body.password))
        async with self._open_session() as session:
            session.add(user)
            await _flush(session)
        return user

    async def get(self, user_id: UUID) -> User:
        """Return a user, or raise `UserNotFoundError`."""
        async with self._open_session(readonly=True) as session:
            return await _get(session, user_id)

    async def update(self, user_id: UUID, body: UserUpdate) -> User:
        """Change the fields in `body`, or raise one of the errors above; a new password ends all sessions of the user."""
        user = await self.get(user_id)
        changes = body.model_dump()
        email, password = changes.get("email", user.email), changes.pop("password", None)
        if password is not None:
            _refuse_email(password, email)
            changes["password_hash"] = await hash_in_thread(hash_password, password)
        elif email != user.email and await hash_in_thread(verify_password, email, user.password_hash):
            raise PasswordIsEmailError
        async with self._open_session() as session:
            # The lock waits for a login that has just begun, so that its session ends too.
            current = await _get(session, user_id, for_update=True)
            if (current.email, current.password_hash) == (user.email, user.password_hash):
                for field, value in changes.items():
                    setattr(current, field, value)
                await _flush(session)
                if password is not None:
                    await session.execute(delete(RefreshSession).where(RefreshSession.user_id == user_id))
                return current
        return await self.update(user_id, body)  # another request has changed what was checked


async def _get(session: AsyncSession, user_id: UUID, *, for_update: bool = False) -> User:
    user = await session.get(User, user_id, with_for_update=for_update or None)
    if user is None:
        raise UserNotFoundError
    return user


async def _flush(session: AsyncSession) -> None:
    """Write the changes; the database checks what is unique, so that concurrent requests can't violate it."""
    with translate_violations({"uq_users_email": EmailTakenError()}):
        await session.flush()


def _refuse_email(password: str, email: str) -> None:
    if password.lower() == email:
        raise PasswordIsEmailError
