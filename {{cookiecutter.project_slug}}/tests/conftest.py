"""One application and one migrated database for all tests: an SQLite file, or the one at `TEST_DATABASE_URL`."""

import gc
import os
import sys
import threading  # option: telemetry
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta  # option: auth
from functools import partial
from uuid import UUID  # option: auth

import pytest
from alembic import command
from alembic.config import Config
from fastapi import APIRouter
from fastapi.testclient import TestClient
from pwdlib import PasswordHash  # option: auth
from pwdlib.hashers.argon2 import Argon2Hasher  # option: auth
from sqlalchemy import insert  # option: auth

from api.dependencies.database import Database
from api.dependencies.migrations import PYPROJECT, upgrade
from api.dependencies.settings import Settings, load_settings
from api.main import create_app
from api.models import (
    Base,
    RefreshSession,  # option: auth
    User,  # option: auth
)
from api.services import security  # option: auth
from api.services.security import TokenClaims, TokenSigner, TokenType  # option: auth
from tests.collector import Collector  # option: telemetry

LOOP = {"use_uvloop": sys.platform != "win32"}
"""The event loop of the server: `gunicorn.conf.py`."""
# option: auth

PASSWORD = "a password of a few words"
"""The password of the users."""
# end: auth


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Turn warnings into errors in tests, but not while plugins are configured; `filterwarnings` can except some."""
    strict = pytest.mark.filterwarnings("error", *config.getini("filterwarnings"))
    for item in items:
        item.add_marker(strict, append=False)


def pytest_collection_finish() -> None:
    """Exclude what is loaded from garbage collection, which takes a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run asynchronous tests on the event loop of the application."""
    return "asyncio", LOOP


# option: telemetry
@pytest.fixture(scope="session", autouse=True)
def silence() -> Iterator[None]:
    """Switch telemetry off, whatever the environment sets."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            patch.delenv(name)
        patch.setenv("OTEL_SDK_DISABLED", "true")
        yield


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that receives everything."""
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, args=(0.01,), daemon=True).start()
        yield collector
        collector.shutdown()


# end: telemetry
@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that neither the environment nor a `.env` changes."""
    folder = tmp_path_factory.mktemp("settings")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        file = f"sqlite+aiosqlite:///{folder / 'test.db'}"
        patch.setenv("DATABASE_URL", os.environ.get("TEST_DATABASE_URL") or file)
        patch.setenv("DATABASE_TIMEOUT", "30")
        patch.setenv("FORWARDED_ALLOW_IPS", "203.0.113.1")  # option: auth
        return load_settings()


@pytest.fixture(scope="session")
def migrated(settings: Settings) -> Settings:
    """Settings of a database that is empty and has the newest schema."""
    command.downgrade(Config(toml_file=PYPROJECT, attributes={"settings": settings}), "base")
    upgrade(settings)
    return settings


@pytest.fixture(scope="session")
def application(migrated: Settings) -> Iterator[TestClient]:
    """The application, started once."""
    with TestClient(create_app(migrated), backend_options=LOOP) as client:
        yield client


@pytest.fixture(scope="session")
def delete_rows(application: TestClient) -> Callable[[], None]:
    """Return a function that deletes all rows."""
    assert application.portal is not None
    return partial(application.portal.call, prepare, application.app_state["database"])


@pytest.fixture
def client(application: TestClient, delete_rows: Callable[[], None]) -> TestClient:
    """A client of the application with an empty database."""
    delete_rows()
    # option: auth
    application.headers.update(authorization(application, UUID(int=1)))
    # end: auth
    return application


# option: auth
@pytest.fixture
def other_user(application: TestClient) -> dict[str, str]:
    """The headers of another user."""
    return authorization(application, UUID(int=2))


def authorization(application: TestClient, user_id: UUID) -> dict[str, str]:
    claims = TokenClaims(user_id, session_id=user_id, token_id=UUID(int=3))
    signer: TokenSigner = application.app_state["signer"]
    token = signer.sign(TokenType.ACCESS, claims, datetime.now(UTC), timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


# end: auth
# option: example
@pytest.fixture
def make_budget(client: TestClient) -> Callable[..., str]:
    """Create a budget, and return its path."""

    def make(name: str = "Food", limit: str = "100.00") -> str:
        response = client.post("/v1/budgets", json={"name": name, "limit": limit})
        return response.raise_for_status().headers["Location"]

    return make


@pytest.fixture
def spend(client: TestClient) -> Callable[..., str]:
    """Create a transaction, and return its path."""

    def make(budget: str, amount: str = "1.00", **fields: str) -> str:
        body = {"amount": amount, "description": "Bread", **fields}
        return client.post(f"{budget}/transactions", json=body).raise_for_status().headers["Location"]

    return make


# end: example
@pytest.fixture
async def database(migrated: Settings) -> AsyncIterator[Database]:
    """The empty database, without HTTP."""
    async with Database(migrated) as database:
        await prepare(database)
        yield database


@pytest.fixture
def alembic(migrated: Settings, application: TestClient) -> Iterator[Config]:
    """The configuration of Alembic; afterwards the database has the newest schema again."""
    yield Config(toml_file=PYPROJECT, attributes={"settings": migrated})
    upgrade(migrated)
    assert application.portal is not None
    application.portal.call(application.app_state["database"].engine.dispose)  # of the old tables


@pytest.fixture(scope="module")
def serve(migrated: Settings) -> Iterator[Callable[..., TestClient]]:
    """Start an application with additional routes or other settings."""
    with ExitStack() as stack:

        def start(*routers: APIRouter, **changes: object) -> TestClient:
            app = create_app(migrated.model_copy(update=changes))
            for router in routers:
                app.include_router(router)
            return stack.enter_context(TestClient(app, backend_options=LOOP))

        yield start


# option: auth
@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hash passwords quickly; the application does so slowly on purpose."""
    cheap = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(security, "HASHER", cheap)
        patch.setattr(security, "DUMMY_HASH", cheap.hash("dummy"))
        yield


# end: auth
async def prepare(database: Database) -> None:
    """Delete every row, children first."""
    async with database.session() as session:
        for table in reversed(Base.metadata.sorted_tables):
            await session.execute(table.delete())
        # option: auth
        password_hash = security.hash_password(PASSWORD)
        for number, email in enumerate(("ada@example.com", "bob@example.com"), 1):
            ids = {"id": UUID(int=number)}
            await session.execute(insert(User).values(**ids, email=email, password_hash=password_hash))
            expires_at = datetime.now(UTC) + timedelta(days=1)
            await session.execute(insert(RefreshSession).values(**ids, user_id=UUID(int=number), expires_at=expires_at))
        # end: auth
