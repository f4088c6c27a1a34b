"""Users: an e-mail address belongs to one user, and a password is not easy to guess."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from api.models import LoginAttempt, RefreshSession, User
from api.schemas.users import UserCreate, UserUpdate
from api.services.errors import ConflictError, ForbiddenError, InvalidError, UnauthenticatedError, translate_violations
from api.services.security import hash_in_thread, hash_password, is_guessable, reserve_hashing, verify_password
from api.services.sessions import ActiveSessions, SessionFactory, record_attempt, same_attempts


class UserNotFoundError(UnauthenticatedError):
    """The user that an access token was issued for does not exist any more."""

    code, title = "user-not-found", "The user of the access token does not exist"


class EmailTakenError(ConflictError):
    """Another user has the e-mail address."""

    code, title = "email-taken", "The e-mail address is taken"


class GuessablePasswordError(InvalidError):
    """The password is made of common words, sequences, the e-mail address or the name of the API."""

    code, title = "guessable-password", "The password is easy to guess"


class WrongPasswordError(ForbiddenError):
    """The current password is wrong."""

    code, title = "wrong-password", "The current password is wrong"


class UserService:
    """The business logic of users; its own sessions hold no connection while a password is hashed."""

    def __init__(self, open_session: SessionFactory, active: ActiveSessions) -> None:
        self._open_session = open_session
        self._active = active

    async def register(self, body: UserCreate, address: str) -> User:
        """Add a user, or raise `GuessablePasswordError`, `TooManyAttemptsError` or `EmailTakenError`."""
        _refuse_guessable(body.password, body.email)
        with reserve_hashing():
            await record_attempt(self._open_session, body.email, address)
            user = User(email=body.email, password_hash=await hash_in_thread(hash_password, body.password))
        async with self._open_session() as session:
            session.add(user)
            await _flush(session)
        return user

    async def get(self, user_id: UUID) -> User:
        """Return a user, or raise `UserNotFoundError`."""
        async with self._open_session(readonly=True) as session:
            return await _get(session, user_id)

    async def update(self, user_id: UUID, body: UserUpdate, address: str) -> User:
        """Change the fields in `body`, or raise `WrongPasswordError` or one of the errors above.

        A new password ends all sessions of the user.
        """
        changes = body.model_dump(exclude={"current_password"})
        password = changes.pop("password", None)
        with reserve_hashing():
            user = await self.get(user_id)
            await record_attempt(self._open_session, user.email, address)
            if not await hash_in_thread(verify_password, body.current_password, user.password_hash):
                raise WrongPasswordError
            if password is not None:
                changes["password_hash"] = await hash_in_thread(hash_password, password)
        async with self._open_session() as session:
            # The lock waits for a login that has just begun, so that its session ends too.
            current = await _get(session, user_id, for_update=True)
            if current.password_hash != user.password_hash:
                raise WrongPasswordError
            await session.execute(delete(LoginAttempt).where(same_attempts(user.email, address)))
            for field, value in changes.items():
                setattr(current, field, value)
            if changes:
                _refuse_guessable(password or body.current_password, current.email)
            await _flush(session)
            if password is not None:
                await session.execute(delete(RefreshSession).where(RefreshSession.user_id == user_id))
        self._active.forget()
        return current


async def _get(session: AsyncSession, user_id: UUID, *, for_update: bool = False) -> User:
    user = await session.get(User, user_id, with_for_update=for_update or None)
    if user is None:
        raise UserNotFoundError
    return user


async def _flush(session: AsyncSession) -> None:
    """Write the changes; the database checks what is unique, so that concurrent requests can't violate it."""
    with translate_violations({"uq_users_email": EmailTakenError()}):
        await session.flush()


def _refuse_guessable(password: str, email: str) -> None:
    if is_guessable(password, email):
        raise GuessablePasswordError
