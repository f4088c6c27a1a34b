"""Whether we can do our work."""

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession

from api.services.errors import SchemaBehindError


class HealthService:
    """Asks the database, and compares its schema with what the code expects."""

    def __init__(self, session: AsyncSession, *, old_revisions: frozenset[str | None]) -> None:
        self._session = session
        self._old_revisions = old_revisions

    async def check(self) -> None:
        """Pass where all is well.

        Raises:
            SchemaBehindError: where migrations have still to run.
            DatabaseUnavailableError: where the database does not answer.
        """
        connection = await self._session.connection()
        revision = await connection.run_sync(_current_revision)
        if revision in self._old_revisions:
            message = f"The database is at revision {revision}; run the migrations."
            raise SchemaBehindError(message)


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
