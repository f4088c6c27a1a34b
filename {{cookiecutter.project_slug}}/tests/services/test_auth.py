"""Logins at the moments that HTTP can't choose."""

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from api.dependencies.database import Database
from api.models import LoginAttempt, User
from api.schemas.users import UserUpdate
from api.services.auth import ATTEMPTS_PER_ACCOUNT, WINDOW, AuthService, TooManyLoginsError, WrongCredentialsError
from api.services.security import InvalidTokenError, TokenSigner, hash_password, verify_password
from api.services.users import UserService

pytestmark = pytest.mark.anyio

T = TypeVar("T")
U = TypeVar("U")

EMAIL = "ada@example.com"
PASSWORD = "a password of a few words"
SIGNER = TokenSigner("no less than 32 characters, as asked", issuer="us")


@pytest.fixture
async def ada(database: Database) -> Database:
    """A database in which Ada has a password."""
    async with database.writing() as connection:
        await connection.execute(update(User).values(password_hash=hash_password(PASSWORD)))
    return database


class Pausing:
    """Units of work of which one waits before its commit."""

    def __init__(self, database: Database, number: int) -> None:
        self._database = database
        self._number = number
        self.waits, self.go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AsyncConnection]:
        """Open the next one."""
        self._number -= 1
        async with self._database.writing() as connection:
            yield connection
            if self._number == 0:
                self.waits.set()
                await self.go_on.wait()


async def meet(pausing: Pausing, first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, Task[U]]:
    """Begin with the second while the first waits, and let both end."""
    started = asyncio.create_task(first)
    await pausing.waits.wait()
    met = asyncio.create_task(second)
    assert await asyncio.wait({met}, timeout=0.1) == (set(), {met})
    pausing.go_on.set()
    result = await started
    await asyncio.wait({met})
    return result, met


async def test_a_theft_that_shows_during_a_refresh_ends_the_login(ada: Database) -> None:
    auth, pausing = AuthService(ada.writing, SIGNER), Pausing(ada, 1)
    stolen = await auth.login(EMAIL, PASSWORD, "")
    second = await auth.refresh(stolen.refresh_token)
    refresh = AuthService(pausing, SIGNER).refresh(second.refresh_token)
    third, theft = await meet(pausing, refresh, auth.refresh(stolen.refresh_token))
    assert isinstance(theft.exception(), InvalidTokenError)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(third.refresh_token)


async def change_password(database: Database) -> None:
    await UserService(database.writing).update(UUID(int=1), UserUpdate(password=f"another {PASSWORD}"))


async def test_a_new_password_ends_a_login_that_just_begins(ada: Database) -> None:
    pausing = Pausing(ada, 4)
    login = AuthService(pausing, SIGNER).login(EMAIL, PASSWORD, "")
    tokens, _ = await meet(pausing, login, change_password(ada))
    with pytest.raises(InvalidTokenError):
        await AuthService(ada.writing, SIGNER).refresh(tokens.refresh_token)


async def test_no_login_begins_with_a_password_that_just_changed(
    ada: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(password: str, password_hash: str | None) -> bool:
        asyncio.run_coroutine_threadsafe(change_password(ada), loop).result()
        return verify_password(password, password_hash)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("api.services.auth.verify_password", verify)
    with pytest.raises(WrongCredentialsError):
        await AuthService(ada.writing, SIGNER).login(EMAIL, PASSWORD, "")


async def test_who_has_to_wait_is_told_when_the_oldest_attempt_is_forgotten(ada: Database) -> None:
    now = datetime.now(UTC)
    moments = [now - WINDOW + timedelta(seconds=10), *[now] * (ATTEMPTS_PER_ACCOUNT - 1)]
    attempts = [{"id": uuid7(), "email": EMAIL, "address": "", "at": moment} for moment in moments]
    async with ada.writing() as connection:
        await connection.execute(insert(LoginAttempt), attempts)
    with pytest.raises(TooManyLoginsError) as refusal:
        await AuthService(ada.writing, SIGNER).login(EMAIL, PASSWORD, "")
    assert 5 < refusal.value.retry_after <= 10
