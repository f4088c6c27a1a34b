"""Alembic's environment, for `alembic` on the command line and for the application at its start."""

import asyncio
from typing import Literal

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, DefaultClause, Enum, False_, TextClause, True_
from sqlalchemy.exc import DBAPIError  # option: database=postgresql
from sqlalchemy.types import TypeDecorator

from api.dependencies.database import create_engine
from api.dependencies.settings import Settings, load_settings
from api.models import Base


def render_item(kind: str, item: object, _: object) -> str | Literal[False]:
    """Render a type or a default for every database, and so that it does not change when the code does.

    Raises:
        CommandError: for an `Enum` that is a type of its own in the database, which a downgrade would leave behind.
    """
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    if type(item) is Enum and item.native_enum:
        message = f"{item!r}: annotate the column with Mapped[...] alone, or set native_enum=False"
        raise CommandError(message)
    if kind == "server_default" and isinstance(item, DefaultClause):
        match item.arg:
            case True_() | False_() as constant:
                return f"sa.{constant}()"
            case TextClause(text=text) if text.isdecimal():  # which SQLite reports for a boolean, too
                return repr(text)
    return False


def migrate(connection: Connection) -> None:
    """Run the command in one transaction; SQLite alters a table by copying it, for which new revisions are prepared."""
    # option: database=postgresql
    # Commands run one after the other. A change waits for the lock of a table for less than DATABASE_TIMEOUT, since all
    # requests for the table wait behind it.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('alembic'))")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
    # end: database=postgresql
    context.configure(
        connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=True,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect(settings: Settings) -> None:
    """Run the command on the database that `settings` name."""
    engine = create_engine(settings, for_migrations=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    # option: database=postgresql
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":  # lock_not_available
            raise
        message = "a long transaction holds the lock of a table for more than 2 s; nothing is changed, try again"
        raise CommandError(message) from error
    # end: database=postgresql
    finally:
        await engine.dispose()


asyncio.run(connect(context.config.attributes.get("settings") or load_settings()))
