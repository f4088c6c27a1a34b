"""The engine, and the unit of work that a request gets from it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Self

from fastapi import Depends, Request
from sqlalchemy import URL, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from api.dependencies.settings import Settings
from api.services.errors import DatabaseUnavailableError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that only read: RFC 9110, section 9.2.1."""

AUTOCOMMIT = {"isolation_level": "AUTOCOMMIT"}


def open_engine(settings: Settings, *, foreign_keys: bool = True) -> AsyncEngine:
    """Make the engine that `settings` describe; it connects when it is first used.

    `foreign_keys=False` is for migrations: SQLite rebuilds a table to alter it, and with enforcement on, dropping the
    old one would delete the rows that refer to it.
    """
    url = settings.database_url or URL.create("sqlite+aiosqlite", database=str(settings.sqlite_file))
    engine = create_async_engine(
        url,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow,
        pool_timeout=settings.database_timeout,
        connect_args={"timeout": settings.database_timeout},
        hide_parameters=True,  # what is written may be secret, and errors are logged
    )
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, foreign_keys=foreign_keys)
    return engine


def _prepare_sqlite(engine: AsyncEngine, *, foreign_keys: bool) -> None:
    """Let readers and one writer work at once, and let writers queue for their turn.

    A transaction that starts as a reader and then writes is refused at once when another writer came between, whatever
    the timeout; BEGIN IMMEDIATE takes the turn first: https://www.sqlite.org/lang_transaction.html
    """

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != AUTOCOMMIT["isolation_level"]:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


class Database:
    """An engine and its two units of work, one for reading and one for writing."""

    def __init__(self, settings: Settings) -> None:
        self.engine = open_engine(settings)
        self._writers = async_sessionmaker(self.engine, expire_on_commit=False)
        self._readers = async_sessionmaker(self.engine.execution_options(**AUTOCOMMIT), autoflush=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.dispose()

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session in which each statement stands alone, without the round trips of a transaction.

        Raises:
            DatabaseUnavailableError: where the database can't be reached or doesn't answer in time.
        """
        return _unit_of_work(self._readers())

    def writing(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open one transaction: committed at the end, rolled back where anything is raised.

        Raises:
            DatabaseUnavailableError: where the database can't be reached or doesn't answer in time.
        """
        return _unit_of_work(self._writers.begin())


@asynccontextmanager
async def _unit_of_work(unit: AbstractAsyncContextManager[AsyncSession]) -> AsyncIterator[AsyncSession]:
    """Tell an outage, which is nobody's fault, from a mistake in a statement or in its data."""
    try:
        async with unit as session:
            yield session
    except (IntegrityError, ProgrammingError, DataError):
        raise
    except (DBAPIError, PoolTimeoutError, OSError) as error:  # drivers let the system's own errors through
        message = "The database does not answer; try again shortly."
        raise DatabaseUnavailableError(message) from error


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Give a request one session for all that it does, chosen by its method."""
    database: Database = request.state.database
    unit = database.reading() if request.method in SAFE_METHODS else database.writing()
    async with unit as session:
        yield session


# With the scope "function" the commit comes before the answer leaves; by default it would come after it.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
