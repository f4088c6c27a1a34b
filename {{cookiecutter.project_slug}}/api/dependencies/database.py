"""The database: an engine, a time limit on each wait for it, and one session for each request."""

import asyncio
import re  # option: database=postgresql
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial  # option: database=postgresql
from math import inf
from sqlite3 import OperationalError
from time import monotonic
from typing import Annotated, Self

from fastapi import Depends
from fastapi.requests import HTTPConnection
from sqlalchemy import (
    URL,
    Connection,
    Dialect,  # option: database=postgresql
    ExceptionContext,
    event,
)
from sqlalchemy.engine.interfaces import AdaptedConnection, DBAPIConnection, ExecutionContext
from sqlalchemy.exc import DisconnectionError  # option: database=postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from api.dependencies.postgresql import PARAMETERS, connect_arguments, uses_pgbouncer  # option: database=postgresql
from api.dependencies.settings import Settings
from api.services.errors import DatabaseUnavailableError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that only read: RFC 9110, section 9.2.1."""

TIMEOUT_CODES = frozenset({"57014", "SQLITE_BUSY", "SQLITE_INTERRUPT"})
OUTAGE_CODES: tuple[str, ...] = ("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")
OUTAGE_CODES += ("08", "25006", "40", "53", "55P03", "57", "58")  # option: database=postgresql
# https://www.postgresql.org/docs/current/errcodes-appendix.html  # option: database=postgresql
"""How the codes of outages begin: https://www.sqlite.org/rescode.html.

Any other error is a mistake in a statement or its data.
"""

ROW_VALUES = re.compile(r'(?s)(\nDETAIL:|: "|(?<=query argument )).*')  # option: database=postgresql

NO_CONNECTION = "The database accepts no connection."
# option: database=postgresql

GRACE = 0.5
"""Seconds after a time limit in which PostgreSQL can report it, before the driver ends the connection."""

CLOSE_TIMEOUT = 0.1
"""Seconds to close a connection; a pool of 20 to a server that does not respond is closed in two seconds."""
# end: database=postgresql


def create_engine(settings: Settings, *, for_migrations: bool = False) -> AsyncEngine:
    """Create the engine for the database that `settings` name; it connects when it is first used.

    Migrations have no time limit for statements. On SQLite they have no foreign keys either: it alters a table by copying
    and dropping it, which would delete the rows that refer to it.
    """
    url = settings.database_url or URL.create("sqlite+aiosqlite", database=str(settings.sqlite_file))
    arguments: dict[str, object] = {"timeout": settings.database_timeout}  # for connecting, and on SQLite for locks
    configure: Callable[[AsyncEngine, float | None], None] = _configure_sqlite
    # option: database=postgresql
    if url.get_backend_name() == "postgresql":
        configure = partial(_configure_postgresql, shared=uses_pgbouncer(url))
        arguments = connect_arguments(url, settings.database_timeout)
        url = url.difference_update_query(PARAMETERS - {"host", "port"})
    # end: database=postgresql
    engine = create_async_engine(
        url,
        pool_size=settings.database_pool_size,
        max_overflow=settings.database_max_overflow + 1,  # for SQLite's writer, which `Database` does not count
        connect_args=arguments,
        hide_parameters=True,  # errors are logged, and parameters may be secret
    )
    configure(engine, None if for_migrations else settings.database_timeout)
    return engine


def _configure_sqlite(engine: AsyncEngine, timeout: float | None) -> None:
    """Let readers work beside one writer, and interrupt a statement after `timeout` seconds.

    A transaction takes the write lock when it begins. If it took the lock later, SQLite would refuse it without waiting
    when another transaction has committed in between: https://www.sqlite.org/lang_transaction.html
    """

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        def is_late() -> bool:
            return bool(monotonic() > entry.info.get("deadline", inf))

        cursor = connection.cursor()
        with suppress(OperationalError):  # another process is changing the mode, for which SQLite does not wait
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # what is committed outlives a power cut
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if timeout else 'OFF'}")
        cursor.close()
        connection.isolation_level = None  # the driver begins no transaction by itself
        if isinstance(connection, AdaptedConnection):  # it checks after so many steps, which take less than 1 ms
            connection.run_async(lambda driver: driver.set_progress_handler(is_late, 10_000))

    @event.listens_for(engine.sync_engine, "before_cursor_execute", named=True)
    def on_execute(conn: Connection, context: ExecutionContext, **_: object) -> None:
        streams = context.execution_options.get("stream_results")  # while a client reads
        conn.info["deadline"] = inf if streams else monotonic() + (timeout or inf)

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("readonly"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine.sync_engine, "invalidate")
    def on_invalidate(connection: AdaptedConnection, *_: object) -> None:
        connection.run_async(lambda driver: driver.interrupt())
        connection.run_async(lambda driver: driver.rollback())  # closing keeps the lock while a cursor is referenced


# option: database=postgresql
def _configure_postgresql(engine: AsyncEngine, timeout: float | None, *, shared: bool) -> None:
    """Let the server end a statement after `timeout` seconds, and replace connections that it has closed.

    On a connection that is `shared` by PgBouncer, the limit would stay for others: the driver's alone holds there.
    """

    @event.listens_for(engine.sync_engine, "do_connect")
    def on_connect(dialect: Dialect, _: object, arguments: list[object], options: dict[str, object]) -> DBAPIConnection:
        try:
            connection = dialect.connect(*arguments, **options, command_timeout=timeout and timeout + GRACE)
            if timeout and not shared and isinstance(connection, AdaptedConnection):
                limit = f"SET statement_timeout = '{timeout * 1000:.0f}ms'"
                connection.run_async(lambda driver: driver.execute(limit))
        except Exception as error:
            raise DatabaseUnavailableError(NO_CONNECTION) from error
        return connection

    @event.listens_for(engine.sync_engine, "checkout")
    def on_checkout(connection: AdaptedConnection, *_: object) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "close")
    def on_close(connection: AdaptedConnection, _: ConnectionPoolEntry) -> None:
        with suppress(OSError):  # includes TimeoutError
            connection.run_async(lambda driver: driver.close(timeout=CLOSE_TIMEOUT))


def _remove_details(context: ExceptionContext) -> None:
    """Remove values of rows from the errors of PostgreSQL and its driver, which are logged."""
    error, cause = context.original_exception, context.original_exception.__cause__
    for each in filter(None, (error, cause, context.sqlalchemy_exception)):
        if each.args:
            each.args = (ROW_VALUES.sub("", str(each.args[0])), *each.args[1:])
    if cause and hasattr(cause, "detail"):
        cause.detail = None


# end: database=postgresql
class Database:
    """An engine, and sessions in which each wait for the database is limited to `DATABASE_TIMEOUT` seconds."""

    def __init__(self, settings: Settings) -> None:
        self.engine = create_engine(settings)
        self._timeout = settings.database_timeout
        # Both are first come, first served, which neither the pool is nor the lock of SQLite, which has one writer.
        self._connection_limiter = asyncio.Semaphore(settings.database_pool_size + settings.database_max_overflow)
        self._write_limiter = asyncio.Semaphore(1)
        self._readonly: dict[str, object] = {"readonly": True}
        # option: database=postgresql
        if self.engine.name == "postgresql":
            self._write_limiter = self._connection_limiter
            self._readonly = {"isolation_level": "AUTOCOMMIT"}
            if uses_pgbouncer(settings.database_url):
                self._readonly = {"postgresql_readonly": True}
        # end: database=postgresql
        event.listen(self.engine.sync_engine, "handle_error", self._translate)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def session(self, *, readonly: bool = False) -> AsyncIterator[AsyncSession]:
        """Open a session, which is committed at the end, or rolled back if an exception is raised.

        With `readonly` there is no transaction: each statement reads what is committed when it starts. Rows can't be
        streamed then, since a cursor on the server lives in a transaction. A wait that is too long, or fails, raises
        `DatabaseUnavailableError`.
        """
        limiter = self._connection_limiter if readonly else self._write_limiter
        try:
            async with asyncio.timeout(self._timeout):
                await limiter.acquire()
        except TimeoutError as error:
            message = f"No connection to the database became free within {self._timeout:g} s."
            raise DatabaseUnavailableError(message) from error
        options = self._readonly if readonly else None
        session = AsyncSession(
            self.engine,
            expire_on_commit=False,
            execution_options=options,
            close_resets_only=False,  # work after the response would be lost in a session that is used again
        )
        committing = False
        try:
            yield session
            committing = not readonly
            if committing:
                await session.commit()
        except BaseException as error:
            # After a cancellation a statement may be running; after a failed COMMIT the transaction may be open.
            if committing or isinstance(error, asyncio.CancelledError):
                await asyncio.shield(asyncio.ensure_future(session.invalidate()))
            raise
        finally:
            try:
                await session.close()
            finally:
                limiter.release()

    def _translate(self, context: ExceptionContext) -> Exception | None:
        """Return the error to raise for a time-out or an outage; None leaves a mistake as it is."""
        error = context.original_exception
        code = str(getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", ""))
        task = "run a statement" if context.statement else "end the transaction, which may be committed or not"
        if isinstance(error, TimeoutError) or code in TIMEOUT_CODES:
            return DatabaseUnavailableError(f"The database took longer than {self._timeout:g} s to {task}.")
        lost = context.is_disconnect and isinstance(error, Exception)  # a cancellation is no disconnect
        if lost or isinstance(error, OSError) or code.startswith(OUTAGE_CODES):
            return DatabaseUnavailableError(f"The database failed to {task}." if context.connection else NO_CONNECTION)
        _remove_details(context)  # option: database=postgresql
        return None


async def get_database(connection: HTTPConnection) -> Database:
    """Return the database, for work that opens sessions of its own."""
    database: Database = connection.state.database
    return database


async def get_session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Open the session of a request; that of a WebSocket, which has no method, can write."""
    database: Database = connection.state.database
    async with database.session(readonly=connection.scope.get("method") in SAFE_METHODS) as session:
        yield session


DatabaseDep = Annotated[Database, Depends(get_database)]
# With the scope "function" the commit comes before the response is sent; by default it would come after it.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
