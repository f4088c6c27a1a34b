"""How Alembic reaches the database: `alembic upgrade head` on the command line, or the application as it starts."""

import asyncio
from typing import Literal

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.types import TypeDecorator

from api.dependencies.database import open_engine
from api.dependencies.settings import Settings, load_settings
from api.models import Base


def render_item(kind: str, item: object, _: object) -> str | Literal[False]:
    """Write the plain type of one of our column types: a migration must not change when the code does."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


def migrate(connection: Connection) -> None:
    """Run what was asked for in one transaction; on SQLite, tables are altered by rebuilding them."""
    context.configure(
        connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect(settings: Settings) -> None:
    """Migrate the database that `settings` name."""
    engine = open_engine(settings, foreign_keys=False)
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(connect(context.config.attributes.get("settings") or load_settings()))
