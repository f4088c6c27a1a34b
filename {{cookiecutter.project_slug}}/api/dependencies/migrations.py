"""Migrations of the database schema: run at start for the SQLite file, and compared with the database for `/readyz`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from api.dependencies.settings import Settings

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def upgrade(settings: Settings) -> None:
    """Upgrade the database that `settings` name to the newest revision; on SQLite several processes may do so at once."""
    command.upgrade(Config(toml_file=PYPROJECT, attributes={"settings": settings}), "head")


def old_revisions() -> frozenset[str | None]:
    """Return the revisions that are older than the code; `None` stands for a database without a schema.

    A revision that the code does not know is not among them: it belongs to a newer release that is being rolled out.
    """
    history = ScriptDirectory.from_config(Config(toml_file=PYPROJECT))
    heads = history.get_heads()
    known = {script.revision for script in history.walk_revisions()}
    return frozenset({*known, None}.difference(heads)) if heads else frozenset()
