"""Passwords, tokens, and logins that overlap with other changes, without HTTP."""

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import jwt
import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from api.dependencies.database import Database
from api.models import LoginAttempt, RefreshSession
from api.schemas.users import UserUpdate
from api.services.auth import AuthService, InvalidCredentialsError
from api.services.errors import TooManyAttemptsError
from api.services.security import (
    ALGORITHM,
    DUMMY_HASH,
    HASHER,
    LEEWAY,
    InvalidTokenError,
    TokenClaims,
    TokenSigner,
    TokenType,
    hash_password,
    verify_password,
)
from api.services.sessions import ATTEMPTS_PER_ACCOUNT, WINDOW, ActiveSessions, get_now
from api.services.users import UserService

pytestmark = pytest.mark.anyio

T = TypeVar("T")
U = TypeVar("U")

EMAIL = "ada@example.com"
PASSWORD = "a password of a few words"
SECRET = "a secret of at least 32 characters"
SIGNER = TokenSigner(SECRET, issuer="API")
CLAIMS = TokenClaims(UUID(int=1), UUID(int=2), UUID(int=3))
HOUR = timedelta(hours=1)


def forged(secret: str = SECRET, algorithm: str = ALGORITHM, **changes: object) -> str:
    """Sign claims that differ from good ones; `None` leaves a claim out."""
    now = datetime.now(UTC)
    good: dict[str, Any] = {
        "iss": "API",
        "aud": "access",
        "iat": now,
        "exp": now + HOUR,
        "sub": str(CLAIMS.user_id),
        "sid": str(CLAIMS.session_id),
        "jti": str(CLAIMS.token_id),
    }
    claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return jwt.encode(claims, secret, algorithm)


def test_a_password_is_stored_as_a_salted_argon2id_hash() -> None:
    hashes = {hash_password("a password of a few words") for _ in range(2)}
    assert len(hashes) == 2
    assert all(each.startswith("$argon2id$") for each in hashes)
    assert all(verify_password("a password of a few words", each) for each in hashes)
    assert not any(verify_password("another password", each) for each in hashes)


def test_guessing_a_password_is_costly() -> None:
    assert HASHER.hash("a password of a few words").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_an_unknown_user_takes_as_long_as_a_known_one() -> None:
    assert not HASHER.current_hasher.check_needs_rehash(DUMMY_HASH)


def test_without_a_hash_no_password_matches() -> None:
    assert not verify_password("any password", None)


def test_a_password_is_the_same_from_every_keyboard() -> None:
    assert verify_password("Ångström Ångström", hash_password("A\u030angstro\u0308m \u212bngstr\u00f6m"))


def test_a_token_has_its_claims() -> None:
    assert SIGNER.verify(TokenType.ACCESS, SIGNER.sign(TokenType.ACCESS, CLAIMS, datetime.now(UTC), HOUR)) == CLAIMS
    assert SIGNER.verify(TokenType.ACCESS, forged()) == CLAIMS


def test_the_clocks_of_two_machines_may_differ_by_the_leeway() -> None:
    just_over = datetime.now(UTC) - LEEWAY / 2
    assert SIGNER.verify(TokenType.ACCESS, forged(exp=just_over)) == CLAIMS


def test_a_token_that_was_valid_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token = forged()
    assert SIGNER.verify(TokenType.ACCESS, token) == CLAIMS
    monkeypatch.setattr("api.services.security.LEEWAY", -2 * HOUR)
    with pytest.raises(InvalidTokenError):
        SIGNER.verify(TokenType.ACCESS, token)


def test_a_token_of_a_server_whose_clock_is_ahead_is_valid() -> None:
    assert SIGNER.verify(TokenType.ACCESS, forged(iat=datetime.now(UTC) + HOUR)) == CLAIMS


def test_the_clock_of_this_server_does_not_end_a_session() -> None:
    assert SIGNER.verify(TokenType.REFRESH, forged(aud="refresh", exp=datetime.now(UTC) - 31 * 24 * HOUR)) == CLAIMS


@pytest.mark.parametrize(
    "changes",
    [
        *({claim: None} for claim in ("iss", "aud", "iat", "exp", "sub", "sid", "jti")),
        {"iss": "another"},
        {"aud": "refresh"},
        {"exp": datetime.now(UTC) - HOUR},
        {"sub": "ada"},
        {"sid": "ended"},
        {"jti": "first"},
        {"secret": "another secret of at least 32 characters"},
        {"algorithm": "HS384", "secret": SECRET * 2},
        {"algorithm": "none", "secret": ""},
    ],
)
def test_a_token_with_anything_wrong_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        SIGNER.verify(TokenType.ACCESS, forged(**changes))


class PausingSessions:
    """Opens sessions, one of which waits before its commit."""

    def __init__(self, database: Database, number: int) -> None:
        self._database = database
        self._number = number
        self.waiting, self.resumed = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def __call__(self, *, readonly: bool = False) -> AsyncIterator[AsyncSession]:
        """Open the next one."""
        self._number -= 1
        async with self._database.session(readonly=readonly) as session:
            yield session
            if self._number == 0:
                self.waiting.set()
                await self.resumed.wait()


async def meet(
    pausing: PausingSessions, first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]
) -> tuple[T, Task[U]]:
    """Start the second while the first waits before its commit, then let both end."""
    started = asyncio.create_task(first)
    await pausing.waiting.wait()
    met = asyncio.create_task(second)
    assert await asyncio.wait({met}, timeout=0.1) == (set(), {met})
    pausing.resumed.set()
    result = await started
    await asyncio.wait({met})
    return result, met


async def test_a_stolen_token_that_is_used_during_a_refresh_ends_the_session(database: Database) -> None:
    auth, pausing = (
        AuthService(database.session, SIGNER, ActiveSessions(database.session)),
        PausingSessions(database, 1),
    )
    stolen = await auth.login(EMAIL, PASSWORD, "")
    second = await auth.refresh(stolen.refresh_token)
    refresh = AuthService(pausing, SIGNER, ActiveSessions(database.session)).refresh(second.refresh_token)
    third, theft = await meet(pausing, refresh, auth.refresh(stolen.refresh_token))
    assert isinstance(theft.exception(), InvalidTokenError)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(third.refresh_token)


async def change_password(database: Database) -> None:
    body = UserUpdate(current_password=PASSWORD, password=f"another {PASSWORD}")
    await UserService(database.session, ActiveSessions(database.session)).update(UUID(int=1), body, "")


async def test_a_new_password_ends_the_session_of_a_concurrent_login(database: Database) -> None:
    pausing = PausingSessions(database, 4)
    login = AuthService(pausing, SIGNER, ActiveSessions(database.session)).login(EMAIL, PASSWORD, "")
    tokens, _ = await meet(pausing, login, change_password(database))
    with pytest.raises(InvalidTokenError):
        await AuthService(database.session, SIGNER, ActiveSessions(database.session)).refresh(tokens.refresh_token)


async def test_a_login_with_a_password_that_changes_meanwhile_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(password: str, password_hash: str | None) -> bool:
        asyncio.run_coroutine_threadsafe(change_password(database), loop).result()
        return verify_password(password, password_hash)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("api.services.auth.verify_password", verify)
    with pytest.raises(InvalidCredentialsError):
        await AuthService(database.session, SIGNER, ActiveSessions(database.session)).login(EMAIL, PASSWORD, "")


async def test_the_time_to_wait_ends_when_the_oldest_attempt_leaves_the_window(database: Database) -> None:
    now = datetime.now(UTC)
    times = [now - WINDOW + timedelta(seconds=10), *[now] * (ATTEMPTS_PER_ACCOUNT - 1)]
    attempts = [{"id": uuid7(), "email": EMAIL, "address": "", "attempted_at": time} for time in times]
    async with database.session() as session:
        await session.execute(insert(LoginAttempt), attempts)
    with pytest.raises(TooManyAttemptsError) as refusal:
        await AuthService(database.session, SIGNER, ActiveSessions(database.session)).login(EMAIL, PASSWORD, "")
    assert refusal.value.retry_after in range(6, 12)


async def test_a_session_ends_by_the_clock_of_the_database(database: Database) -> None:
    active = ActiveSessions(database.session)
    auth = AuthService(database.session, SIGNER, active)
    tokens = await auth.login(EMAIL, PASSWORD, "")
    session_id = SIGNER.verify(TokenType.ACCESS, tokens.access_token).session_id
    await active.check(session_id)
    active.forget(session_id)
    async with database.session() as session:
        await session.execute(update(RefreshSession).values(expires_at=await get_now(session) - timedelta(seconds=2)))
    with pytest.raises(InvalidTokenError):
        await active.check(session_id)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(tokens.refresh_token)


async def test_a_session_that_ends_while_it_is_checked_is_checked_again(database: Database) -> None:
    @asynccontextmanager
    async def end_after_reading(*, readonly: bool = False) -> AsyncIterator[AsyncSession]:
        async with database.session(readonly=readonly) as session:
            yield session
        await auth.logout(tokens.refresh_token)

    active = ActiveSessions(end_after_reading)
    auth = AuthService(database.session, SIGNER, active)
    tokens = await auth.login(EMAIL, PASSWORD, "")
    session_id = SIGNER.verify(TokenType.ACCESS, tokens.access_token).session_id
    await active.check(session_id)
    with pytest.raises(InvalidTokenError):
        await active.check(session_id)


async def test_a_failed_login_of_one_account_does_not_count_for_another(database: Database) -> None:
    async with database.session() as session:
        row = {"email": EMAIL, "address": "192.0.2.1", "attempted_at": await get_now(session)}
        attempts = [{"id": uuid7(), **row} for _ in range(ATTEMPTS_PER_ACCOUNT)]
        await session.execute(insert(LoginAttempt), attempts)
    auth = AuthService(database.session, SIGNER, ActiveSessions(database.session))
    await auth.login("bob@example.com", PASSWORD, "192.0.2.1")
    with pytest.raises(TooManyAttemptsError):
        await auth.login(EMAIL, PASSWORD, "192.0.2.1")
