"""Whether we can do our work."""

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from api.services.errors import SchemaBehindError, StoppingError


class HealthService:
    """Asks the database, and compares its schema with what the code expects; a server that stops takes no new work."""

    def __init__(self, connection: AsyncConnection, *, old_revisions: frozenset[str | None], stopping: bool) -> None:
        self._connection = connection
        self._old_revisions = old_revisions
        self._stopping = stopping

    async def check(self) -> None:
        """Pass where all is well.

        Raises:
            StoppingError: where the server is about to stop.
            SchemaBehindError: where migrations have still to run.
            DatabaseUnavailableError: where the database does not answer.
        """
        if self._stopping:
            message = "Other servers take the next requests."
            raise StoppingError(message)
        revision = await self._connection.run_sync(_current_revision)
        if revision in self._old_revisions:
            message = f"The database is at revision {revision}; run the migrations."
            raise SchemaBehindError(message)


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
