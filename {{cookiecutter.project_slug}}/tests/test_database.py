"""Sessions: what a response acknowledges is committed, and every wait for the database is limited."""

import asyncio
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from fastapi import APIRouter, BackgroundTasks, WebSocket
from fastapi.testclient import TestClient
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Executable,
    ForeignKey,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError

from api.dependencies.database import Database, DatabaseDep, SessionDep
from api.dependencies.settings import Settings
from api.models.base import UtcDateTime

METADATA = MetaData()
NOTES = Table(
    "test_notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("text", String, unique=True),
    Column("reply_to", ForeignKey("test_notes.id", deferrable=True, initially="DEFERRED")),  # checked by COMMIT
)

router = APIRouter()


@router.get("/notes")
async def count_notes(session: SessionDep) -> int:
    return await session.scalar(select(func.count()).select_from(NOTES)) or 0


@router.post("/notes/{note_id}", status_code=201)
async def write_note(note_id: int, session: SessionDep, reply_to: int | None = None, *, fail: bool = False) -> None:
    await session.execute(insert(NOTES).values(id=note_id, reply_to=reply_to))
    if fail:
        raise RuntimeError


@router.websocket("/notes")
async def write_notes(websocket: WebSocket, session: SessionDep, database: DatabaseDep) -> None:
    await websocket.accept()
    await session.execute(insert(NOTES).values(id=await websocket.receive_json()))
    await session.commit()
    async with database.session(readonly=True) as reader:
        await websocket.send_json(await reader.scalar(select(func.count()).select_from(NOTES)))


@router.get("/nested")
async def use_two_sessions(session: SessionDep, database: DatabaseDep) -> None:
    await session.execute(select(1))
    async with database.session(readonly=True) as another:
        await another.execute(select(1))


def endless() -> Select[int]:
    """Return a statement that does not end by itself."""
    numbers = select(literal(1).label("number")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.number))
    return select(func.count()).select_from(numbers)


@router.get("/endless")
async def read_endlessly(session: SessionDep) -> None:
    await session.execute(endless())


@router.post("/endless")
async def write_endlessly(session: SessionDep) -> None:
    await session.execute(insert(NOTES).from_select(["id"], endless()))


@router.get("/run")
async def run(statement: str, session: SessionDep) -> None:
    await session.execute(text(statement))


@router.get("/number")
async def read_number(value: int, session: SessionDep) -> int | None:
    return await session.scalar(select(literal(value, BigInteger)))


@router.get("/broken")
async def fail_outside_of_the_database(session: SessionDep, *, late: bool = False) -> None:
    await session.execute(select(1))
    raise TimeoutError if late else FileNotFoundError


@router.get("/slow")
async def wait_for_something_else(session: SessionDep) -> int | None:
    await session.execute(select(1))
    await asyncio.sleep(0.2)
    return await session.scalar(select(1))


@router.get("/datetime")
async def read_datetime(session: SessionDep, value: str) -> datetime | None:
    return await session.scalar(select(literal(datetime.fromisoformat(value), UtcDateTime)))


@router.post("/later")
async def write_after_the_response(session: SessionDep, tasks: BackgroundTasks) -> None:
    tasks.add_task(session.execute, insert(NOTES).values(id=1))


async def change_schema(database: Database, change: Callable[[Connection], None]) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(change)


@pytest.fixture
def notes(serve: Callable[..., TestClient]) -> Iterator[TestClient]:
    """An application with the routes above and their table."""
    client = serve(router)
    assert client.portal is not None
    client.portal.call(change_schema, client.app_state["database"], METADATA.create_all)
    yield client
    client.portal.call(change_schema, client.app_state["database"], METADATA.drop_all)


@pytest.fixture
def impatient(notes: TestClient, serve: Callable[..., TestClient]) -> TestClient:
    """The same with one connection and a short time limit."""
    assert notes.app_state
    return serve(router, database_pool_size=1, database_timeout=0.1)


@pytest.fixture
def embedded(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of an SQLite file that does not exist yet, whatever database the tests have."""
    return settings.model_copy(update={"database_url": None, "sqlite_file": tmp_path / "app.db"})


def test_a_write_is_committed(notes: TestClient) -> None:
    assert notes.post("/notes/1").status_code == 201
    assert notes.post("/notes/2?reply_to=1").status_code == 201
    assert notes.get("/notes").json() == 2


def test_a_commit_that_fails_is_an_error_and_leaves_no_transaction(notes: TestClient) -> None:
    assert notes.post("/notes/1?reply_to=2").status_code == 500
    assert notes.get("/notes").json() == 0
    assert notes.post("/notes/1").status_code == 201


def test_a_request_that_fails_is_rolled_back(notes: TestClient) -> None:
    assert notes.get("/notes").json() == 0  # the connection that is used again had no transaction
    assert notes.post("/notes/1?fail=true").status_code == 500
    assert notes.get("/notes").json() == 0


def test_the_use_of_a_session_after_its_request_is_logged_as_an_error(
    notes: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert notes.post("/later").status_code == 200
    assert "This Session has been permanently closed" in caplog.text
    assert notes.get("/notes").json() == 0


def test_a_websocket_reads_and_writes(notes: TestClient) -> None:
    with notes.websocket_connect("/notes") as websocket:
        websocket.send_json(1)
        assert websocket.receive_json() == 1
    assert notes.get("/notes").json() == 1


def test_a_request_without_a_free_connection_gets_a_503_that_says_so(impatient: TestClient) -> None:
    response = impatient.get("/nested")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json()["type"] == "urn:problem:database-unavailable"
    assert response.json()["detail"] == "No connection to the database became free within 0.1 s."


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_statement_that_takes_too_long_is_ended_and_gives_its_connection_back(
    impatient: TestClient, method: str
) -> None:
    for _ in range(2):
        response = impatient.request(method, "/endless")
        assert response.status_code == 503
        assert response.json()["detail"] == "The database took longer than 0.1 s to run a statement."
    assert impatient.post("/notes/1").status_code == 201


def test_time_that_is_spent_outside_of_the_database_does_not_count(impatient: TestClient) -> None:
    assert impatient.get("/slow").json() == 1


@pytest.mark.parametrize(
    "path",
    [
        "/run?statement=SELECT * FROM nowhere",
        "/run?statement=SELECT '",
        "/run?statement=SELECT abs(CAST('-9223372036854775808' AS bigint))",
        f"/number?value={2**64}",
    ],
)
def test_a_mistake_in_a_statement_or_its_data_is_a_500_with_a_traceback(
    notes: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    assert notes.get(path).status_code == 500
    [failure] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "test_database.py" in caplog.handler.format(failure)
    assert str(2**64) not in caplog.handler.format(failure)


@pytest.mark.parametrize("path", ["/broken", "/broken?late=true"])
def test_a_failure_outside_of_the_database_is_not_an_outage(notes: TestClient, path: str) -> None:
    assert notes.get(path).status_code == 500


def test_a_datetime_is_stored_in_utc_and_needs_a_time_zone(notes: TestClient) -> None:
    response = notes.get("/datetime", params={"value": "2026-01-31T12:00:00+02:00"})
    assert response.json() == "2026-01-31T10:00:00Z"
    assert notes.get("/datetime", params={"value": "2026-01-31T12:00:00"}).status_code == 500


@pytest.mark.anyio
async def test_a_cancelled_write_releases_its_locks(migrated: Settings) -> None:
    async def write(statement: Executable) -> None:
        async with database.session() as session:
            await session.execute(statement)

    kept: list[BaseException] = []  # their tracebacks refer to the cursors of the cancelled statements
    async with Database(migrated.model_copy(update={"database_timeout": 2.0})) as database:
        await change_schema(database, METADATA.create_all)
        for number in range(4):
            task = asyncio.create_task(write(insert(NOTES).from_select(["id"], endless())))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as cancelled:
                await task
            kept.append(cancelled.value)
            await write(insert(NOTES).values(id=number))
        await change_schema(database, METADATA.drop_all)


@pytest.mark.anyio
async def test_writers_of_sqlite_get_their_turn_in_the_order_in_which_they_came(embedded: Settings) -> None:
    writers: list[int] = []

    async def write(database: Database, number: int) -> None:
        async with database.session() as session:
            await session.execute(select(1))
            writers.append(number)
            await asyncio.sleep(0.002)  # the others are waiting

    async with Database(embedded) as database:
        await asyncio.gather(*(write(database, number) for number in range(20)))
    assert writers == [*range(20)]


@pytest.mark.anyio
async def test_a_new_file_can_be_opened_while_another_process_initializes_it(embedded: Settings) -> None:
    with closing(sqlite3.connect(embedded.sqlite_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with Database(embedded) as database, database.session(readonly=True) as session:
            assert await session.scalar(select(1)) == 1


@pytest.mark.anyio
async def test_an_error_message_has_no_values_of_the_statement(database: Database) -> None:
    notes = [{"id": number, "text": "hunter2"} for number in range(2)]
    async with database.engine.connect() as connection:  # rolled back, with the table
        await connection.run_sync(METADATA.create_all)
        with pytest.raises(IntegrityError) as error:
            await connection.execute(insert(NOTES), notes)
    assert "hunter2" not in "".join(traceback.format_exception(error.value))
