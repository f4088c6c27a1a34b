"""The unit of work: what is answered is what is kept."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from fastapi import APIRouter, Request
from fastapi.testclient import TestClient
from sqlalchemy import Column, Connection, ForeignKey, Integer, MetaData, String, Table, func, insert, literal, select
from sqlalchemy.exc import IntegrityError

from api.dependencies.database import ConnectionDep, Database
from api.dependencies.settings import Settings
from api.models.base import UtcDateTime

METADATA = MetaData()
NOTES = Table(
    "test_notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("text", String),
    Column("reply_to", ForeignKey("test_notes.id", deferrable=True, initially="DEFERRED")),  # judged at the commit
)

router = APIRouter()


@router.get("/notes")
async def count_notes(connection: ConnectionDep) -> int:
    return await connection.scalar(select(func.count()).select_from(NOTES)) or 0


@router.post("/notes/{note_id}", status_code=201)
async def write_note(
    note_id: int, connection: ConnectionDep, reply_to: int | None = None, *, fail: bool = False
) -> None:
    await connection.execute(insert(NOTES).values(id=note_id, reply_to=reply_to))
    if fail:
        raise RuntimeError


@router.get("/greedy")
async def take_two_connections(connection: ConnectionDep, request: Request) -> None:
    await connection.execute(select(1))
    async with request.state.database.reading() as another:
        await another.execute(select(1))


@router.get("/endless")
async def count_for_ever(connection: ConnectionDep) -> None:
    numbers = select(literal(1).label("number")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.number))
    await connection.execute(select(func.count()).select_from(numbers))


@router.get("/broken")
async def fail_with_a_connection(connection: ConnectionDep, *, late: bool = False) -> None:
    await connection.execute(select(1))
    raise TimeoutError if late else FileNotFoundError


@router.get("/slow")
async def hold_a_connection(connection: ConnectionDep) -> None:
    await connection.execute(select(1))
    await asyncio.sleep(60)


@router.get("/moment")
async def read_moment(connection: ConnectionDep, moment: str) -> datetime | None:
    return await connection.scalar(select(literal(datetime.fromisoformat(moment), UtcDateTime)))


async def run(database: Database, change: Callable[[Connection], None]) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(change)


@pytest.fixture
def notes(serve: Callable[..., TestClient]) -> Iterator[TestClient]:
    """An application that keeps notes."""
    client = serve(router)
    assert client.portal is not None
    client.portal.call(run, client.app_state["database"], METADATA.create_all)
    yield client
    client.portal.call(run, client.app_state["database"], METADATA.drop_all)


@pytest.fixture
def embedded(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of an SQLite file that is not there yet, whatever database the tests have."""
    return settings.model_copy(update={"database_url": None, "sqlite_file": tmp_path / "app.db"})


def test_a_write_is_kept(notes: TestClient) -> None:
    assert notes.post("/notes/1").status_code == 201
    assert notes.post("/notes/2?reply_to=1").status_code == 201
    assert notes.get("/notes").json() == 2


def test_a_commit_that_fails_is_never_answered_with_success(notes: TestClient) -> None:
    assert notes.post("/notes/1?reply_to=2").status_code == 500
    assert notes.get("/notes").json() == 0


def test_nothing_is_kept_of_a_request_that_fails(notes: TestClient) -> None:
    assert notes.get("/notes").json() == 0  # on the same connection, where nothing is taken back
    assert notes.post("/notes/1?fail=true").status_code == 500
    assert notes.get("/notes").json() == 0


def test_a_busy_database_is_an_outage_and_no_endless_wait(serve: Callable[..., TestClient]) -> None:
    answer = serve(router, database_pool_size=1, database_timeout=0.05).get("/greedy")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["type"] == "urn:problem:database-unavailable"


@pytest.mark.parametrize("path", ["/greedy", "/endless", "/slow"])
def test_a_request_that_takes_too_long_is_cancelled_and_gives_its_connection_back(
    serve: Callable[..., TestClient], path: str
) -> None:
    client = serve(router, database_pool_size=1, database_timeout=0.05)
    assert [client.get(path).status_code for _ in range(2)] == [503] * 2
    assert any(client.get("/readyz").status_code == 200 for _ in range(20))


def test_a_moment_is_kept_in_utc_and_not_without_a_time_zone(notes: TestClient) -> None:
    answer = notes.get("/moment", params={"moment": "2026-01-31T12:00:00+02:00"})
    assert answer.json() == "2026-01-31T10:00:00Z"
    assert notes.get("/moment", params={"moment": "2026-01-31T12:00:00"}).status_code == 500


@pytest.mark.parametrize("path", ["/broken", "/broken?late=true"])
def test_what_fails_beside_the_database_is_no_outage_of_it(notes: TestClient, path: str) -> None:
    assert notes.get(path).status_code == 500


@pytest.mark.anyio
async def test_who_asks_first_writes_first_on_sqlite_too(embedded: Settings) -> None:
    writers: list[int] = []

    async def write(database: Database, number: int) -> None:
        async with database.writing() as connection:
            await connection.execute(select(1))
            writers.append(number)
            await asyncio.sleep(0.002)  # the others are waiting

    async with Database(embedded) as file:
        await asyncio.gather(*(write(file, number) for number in range(20)))
    assert writers == [*range(20)]


@pytest.mark.anyio
async def test_a_new_file_can_be_opened_while_another_process_begins_with_it(embedded: Settings) -> None:
    with closing(sqlite3.connect(embedded.sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with Database(embedded) as file, file.reading() as connection:
            assert await connection.scalar(select(1)) == 1


@pytest.mark.anyio
async def test_an_error_does_not_repeat_what_was_to_be_written(database: Database) -> None:
    note = {"id": 1, "text": "hunter2"}
    async with database.engine.connect() as connection:  # nothing is committed, the table neither
        await connection.run_sync(METADATA.create_all)
        with pytest.raises(IntegrityError) as error:
            await connection.execute(insert(NOTES), [note, note])
    assert "hunter2" not in str(error.value)
