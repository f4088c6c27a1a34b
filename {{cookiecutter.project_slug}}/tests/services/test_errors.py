"""The errors of violated constraints, on the database of the tests."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    func,
    insert,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies.database import Database
from api.models.base import Base, violated_constraint
from api.services.errors import ConflictError, translate_violations

pytestmark = pytest.mark.anyio

ROW = {"id": 1, "a": 1, "b": 1, "c": 1, "d": "d", "parent": None}


class TakenError(ConflictError):
    """One of several conflicts."""

    code = "taken"
    title = "Taken"


@pytest.fixture
async def table(database: Database) -> AsyncIterator[Table]:
    """A table of the models with a constraint of each kind, and one row."""
    table = Table(
        "test_rows",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("a", Integer, nullable=False),
        Column("b", Integer),
        Column("c", Integer, unique=True),
        Column("d", String),
        Column("parent", ForeignKey("test_rows.id")),
        UniqueConstraint("a", "b"),
        UniqueConstraint("b", "d", name="named_by_hand"),
        CheckConstraint("a > 0", name="a_is_positive"),
    )
    Index("ix_unique", table.c.d, table.c.a, unique=True)
    Index("ix_expression", func.lower(table.c.d), unique=True)
    Index("ix_not_unique", table.c.c)
    async with database.engine.begin() as connection:
        await connection.run_sync(table.create)
        await connection.execute(insert(table).values(ROW))
    yield table
    async with database.engine.begin() as connection:
        await connection.run_sync(table.drop)
    Base.metadata.remove(table)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"a": 2, "b": 2, "c": 2, "d": "e"}, {"pk_test_rows"}),
        ({"id": 2, "c": 2, "d": "e"}, {"uq_test_rows_a_b"}),
        ({"id": 2, "a": 2, "b": 2, "d": "e"}, {"uq_test_rows_c"}),
        ({"id": 2, "a": 2, "c": 2}, {"named_by_hand", "ix_expression"}),
        ({"id": 2, "b": 2, "c": 2}, {"ix_unique", "ix_expression"}),
        ({"id": 2, "a": 2, "b": 2, "c": 2, "d": "D"}, {"ix_expression"}),
        ({"id": 2, "a": 0, "b": 2, "c": 2, "d": "e"}, {"ck_test_rows_a_is_positive"}),
        ({"id": 2, "a": None, "b": 2, "c": 2, "d": "e"}, {""}),
        (
            {"id": 2, "a": 2, "b": 2, "c": 2, "d": "e", "parent": 3},
            {"FOREIGN KEY", "fk_test_rows_parent_test_rows"},
        ),
    ],
)
async def test_a_violated_constraint_is_named(
    database: Database, table: Table, change: dict[str, object], names: set[str]
) -> None:
    with pytest.raises(IntegrityError) as error:
        async with database.session() as session:
            await session.execute(insert(table).values({**ROW, **change}))
    assert violated_constraint(error.value) in names


async def insert_twice(session: AsyncSession, table: Table, known: str) -> None:
    with translate_violations({known: TakenError("It is taken.")}):
        await session.execute(insert(table).values({**ROW, "a": 2, "b": 2, "c": 2, "d": "e"}))


@pytest.mark.parametrize(("known", "raised"), [("pk_test_rows", TakenError), ("uq_test_rows_c", IntegrityError)])
async def test_only_a_known_constraint_is_translated(
    database: Database, table: Table, known: str, raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        async with database.session() as session:
            await insert_twice(session, table, known)
