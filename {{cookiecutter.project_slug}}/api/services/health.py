"""Health: whether the process can serve requests."""

from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncSession

from api.services.errors import SchemaBehindError, StoppingError


class HealthService:
    """Checks that the server goes on, that the database responds, and that its schema is not older than the code."""

    def __init__(self, session: AsyncSession, *, old_revisions: frozenset[str | None], stopping: bool) -> None:
        self._session = session
        self._old_revisions = old_revisions
        self._stopping = stopping

    async def check(self) -> None:
        """Return if all is well, or raise `StoppingError`, `SchemaBehindError` or `DatabaseUnavailableError`."""
        if self._stopping:
            message = "Other servers take the next requests."
            raise StoppingError(message)
        connection = await self._session.connection()
        revision = await connection.run_sync(lambda each: MigrationContext.configure(each).get_current_revision())
        if revision in self._old_revisions:
            message = f"The database is at revision {revision}; run the migrations."
            raise SchemaBehindError(message)
