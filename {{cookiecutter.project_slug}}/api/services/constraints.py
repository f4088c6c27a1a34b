"""Violated constraints, told apart by name on SQLite and PostgreSQL alike."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import IntegrityError

from api.models import Base
from api.services.errors import ServiceError

FOREIGN_KEY = "FOREIGN KEY"
"""All that SQLite reports of a violated foreign key."""


@contextmanager
def translate_violations(errors: Mapping[str, ServiceError]) -> Iterator[None]:
    """Raise the error that `errors` has for the name of a violated constraint.

    SQLite does not name a foreign key, so the one in `errors`, whose name begins with `fk_`, is assumed there.

    Raises:
        ServiceError: if a constraint in `errors` is violated.
        IntegrityError: if another one is.
    """
    try:
        yield
    except IntegrityError as error:
        name = violated_constraint(error)
        if name == FOREIGN_KEY:
            name = next((key for key in errors if key.startswith("fk_")), name)
        if name not in errors:
            raise
        raise errors[name] from error


def violated_constraint(error: IntegrityError) -> str:
    """Return the name of the violated constraint or unique index, or "" if the database does not report it.

    PostgreSQL reports every name but that of NOT NULL. SQLite reports the name of a CHECK constraint and of an index on
    expressions, and else the columns, whose constraint is looked up in the models.
    """
    name = getattr(error.driver_exception, "constraint_name", None)  # asyncpg
    kind, _, subject = str(error.orig).partition(" constraint failed")
    subject = subject.removeprefix(": ")
    if name or kind == "CHECK":
        return name or subject
    if kind != "UNIQUE":
        return FOREIGN_KEY if kind == FOREIGN_KEY else ""
    if subject.startswith("index "):
        return subject.removeprefix("index ").strip("'")
    table = Base.metadata.tables.get(subject.partition(".")[0])
    if table is None:
        return ""
    keys = [rule for rule in table.constraints if isinstance(rule, PrimaryKeyConstraint | UniqueConstraint)]
    unique = [*keys, *(index for index in table.indexes if index.unique)]
    columns = set(subject.split(", "))
    return next((str(rule.name) for rule in unique if {str(column) for column in rule.columns} == columns), "")
