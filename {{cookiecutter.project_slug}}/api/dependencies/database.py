"""The engine, and the unit of work that a request gets from it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from sqlite3 import OperationalError
from typing import Annotated, Any, Self

from fastapi import Depends, Request
from sqlalchemy import URL, Connection, event
from sqlalchemy.engine.interfaces import AdaptedConnection, DBAPIConnection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    DisconnectionError,  # option: database=postgresql
    IntegrityError,
    ProgrammingError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from api.dependencies.settings import Settings
from api.services.errors import DatabaseUnavailableError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that only read: RFC 9110, section 9.2.1."""

NO_ANSWER = "The database does not answer; try again shortly."
# option: database=postgresql

CLOSE_TIMEOUT = 0.5
"""Seconds to part from a server that does not answer."""
# end: database=postgresql


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
        connect_args={"timeout": settings.database_timeout},
        hide_parameters=True,  # what is written may be secret, and errors are logged
    )
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, foreign_keys=foreign_keys)
    # option: database=postgresql
    else:
        _prepare_postgresql(engine)
    # end: database=postgresql
    return engine


def _prepare_sqlite(engine: AsyncEngine, *, foreign_keys: bool) -> None:
    """Let readers and one writer work at once, and let writers queue for their turn.

    A transaction that starts as a reader and then writes is refused at once when another writer came between, whatever
    the timeout; BEGIN IMMEDIATE takes the turn first: https://www.sqlite.org/lang_transaction.html
    """

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        with suppress(OperationalError):  # another process is doing it, which SQLite lets nobody wait for
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()
        connection.isolation_level = None  # nothing begins by itself

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("reading"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine.sync_engine, "invalidate")
    def on_invalidate(connection: AdaptedConnection, *_: object) -> None:
        connection.run_async(lambda driver: driver.interrupt())


# option: database=postgresql
def _prepare_postgresql(engine: AsyncEngine) -> None:
    """Replace a connection that has ended before a request gets it, and don't wait long for one that is given up."""

    @event.listens_for(engine.sync_engine, "checkout")
    def on_checkout(connection: AdaptedConnection, *_: object) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "invalidate")
    def on_invalidate(connection: AdaptedConnection, *_: object) -> None:
        with suppress(OSError):  # a TimeoutError is one
            connection.run_async(lambda driver: driver.close(timeout=CLOSE_TIMEOUT))


# end: database=postgresql
class Database:
    """An engine and its two units of work, one for reading and one for writing."""

    def __init__(self, settings: Settings) -> None:
        self.engine = open_engine(settings)
        self._timeout = settings.database_timeout
        self._turns = asyncio.Semaphore(settings.database_pool_size + settings.database_max_overflow)
        # SQLite lets one write, and the others try again and again in no order, some of them for seconds.
        self._turns_to_write = asyncio.Semaphore(1)
        self._reading: dict[str, Any] = {"reading": True}
        # option: database=postgresql
        if self.engine.name == "postgresql":
            self._turns_to_write = self._turns
            self._reading = {"isolation_level": "AUTOCOMMIT"}  # an engine would listen to each statement for it
        # end: database=postgresql

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.dispose()

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a connection on which each statement stands alone, without the round trips of a transaction.

        Raises:
            DatabaseUnavailableError: where the database can't be reached or doesn't answer in time.
        """
        return self._unit_of_work(self._turns, writes=False)

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open one transaction: committed at the end, rolled back where anything is raised.

        Raises:
            DatabaseUnavailableError: where the database can't be reached or doesn't answer in time.
        """
        return self._unit_of_work(self._turns_to_write, writes=True)

    @asynccontextmanager
    async def _unit_of_work(self, turns: asyncio.Semaphore, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        """Tell an outage, which is nobody's fault, from a mistake in a statement or in its data.

        Who comes first is served first, which the pool doesn't see to. Whatever is awaited here ends with the time:
        `async with engine.connect()` would wait for a server that is silent, however long.
        """
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit, turns:
                connection = await _connect(self.engine)
                try:
                    if not writes:
                        await connection.execution_options(**self._reading)
                    yield connection
                    if writes:
                        await connection.commit()
                except asyncio.CancelledError:
                    await connection.invalidate()
                    raise
                except Exception:
                    await connection.rollback()  # which closing leaves out where the commit has failed
                    raise
                finally:
                    await connection.close()
        except (IntegrityError, ProgrammingError, DataError):
            raise
        except DBAPIError as error:
            raise DatabaseUnavailableError(NO_ANSWER) from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise DatabaseUnavailableError(NO_ANSWER) from error


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    """Open a connection; drivers let the system's own errors through."""
    try:
        return await engine.connect()
    except OSError as error:
        raise DatabaseUnavailableError(NO_ANSWER) from error


def unit_of_work(request: Request) -> Callable[[], AbstractAsyncContextManager[AsyncConnection]]:
    """Choose a unit of work by the method of a request."""
    database: Database = request.state.database
    return database.reading if request.method in SAFE_METHODS else database.writing


async def get_connection(request: Request) -> AsyncIterator[AsyncConnection]:
    """Give a request one connection for all that it does."""
    async with unit_of_work(request)() as connection:
        yield connection


# With the scope "function" the commit comes before the answer leaves; by default it would come after it.
ConnectionDep = Annotated[AsyncConnection, Depends(get_connection, scope="function")]
