"""Violated constraints, told apart by name on SQLite and PostgreSQL alike."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import IntegrityError

from api.models import Base
from api.services.errors import ServiceError


@contextmanager
def translate_violations(errors: Mapping[str, ServiceError]) -> Iterator[None]:
    """Raise the error that `errors` has for the name of a violated constraint; any other `IntegrityError` is raised on.

    SQLite does not name a foreign key: it is taken for the one in `errors`, whose name begins with `fk_`.
    """
    try:
        yield
    except IntegrityError as error:
        name = violated_constraint(error)
        if name == "FOREIGN KEY":
            name = next((key for key in errors if key.startswith("fk_")), name)
        if name not in errors:
            raise
        raise errors[name] from error


def violated_constraint(error: IntegrityError) -> str:
    """Return the name of the violated constraint or unique index.

    PostgreSQL reports all names but that of NOT NULL, which is "" here. SQLite reports the names of CHECK constraints and
    of indexes on expressions, and the columns of others, whose name is looked up in the models.
    """
    name: str | None = getattr(error.driver_exception, "constraint_name", None)  # asyncpg's
    kind, _, subject = str(error.orig).partition(" constraint failed: ")
    if name or kind != "UNIQUE":
        return name or subject or ("FOREIGN KEY" if kind.startswith("FOREIGN KEY") else "")
    table = Base.metadata.tables.get(subject.partition(".")[0])
    if table is None:
        return subject.removeprefix("index ").strip("'")
    keys = [rule for rule in table.constraints if isinstance(rule, PrimaryKeyConstraint | UniqueConstraint)]
    columns = {(str(rule.name), *sorted(map(str, rule.columns))) for rule in (*keys, *table.indexes)}
    return next((name for name, *names in columns if names == sorted(subject.split(", "))), "")
