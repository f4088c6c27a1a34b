"""The history of the schema, as far as the application has to know it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from api.dependencies.settings import Settings

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def upgrade(settings: Settings) -> None:
    """Bring the schema of the database that `settings` name up to date; safe in several processes at once on SQLite."""
    command.upgrade(Config(toml_file=PYPROJECT, attributes={"settings": settings}), "head")


def old_revisions() -> frozenset[str | None]:
    """Name the revisions that are behind the code; `None` is a database without a schema.

    A revision that the code does not know is not among them: it comes from a newer release that is being rolled out.
    """
    history = ScriptDirectory.from_config(Config(toml_file=PYPROJECT))
    heads = history.get_heads()
    known = {script.revision for script in history.walk_revisions()}
    return frozenset({*known, None}.difference(heads)) if heads else frozenset()
