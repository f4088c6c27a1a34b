"""Alembic's environment, for `alembic` on the command line and for the application at its start."""

import asyncio
from typing import Literal

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.types import TypeDecorator

from api.dependencies.database import create_engine
from api.dependencies.settings import Settings, load_settings
from api.models import Base


def render_item(kind: str, item: object, _: object) -> str | Literal[False]:
    """Render a `TypeDecorator` as the type that it wraps: a migration must not change when the code does."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


def migrate(connection: Connection) -> None:
    """Run the command in one transaction; SQLite alters a table by copying it (`render_as_batch`)."""
    context.configure(
        connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect(settings: Settings) -> None:
    """Run the command on the database that `settings` name."""
    engine = create_engine(settings, for_migrations=True)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(connect(context.config.attributes.get("settings") or load_settings()))
