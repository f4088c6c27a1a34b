"""Migrations: up and down, without loss, and only of the SQLite file at the start."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import Column, Table, make_url, text

from api.dependencies import migrations
from api.dependencies.database import Database
from api.dependencies.settings import Settings
from api.models import Base
from api.models.base import UtcDateTime
from tests.collector import Collector  # option: telemetry

PYPROJECT = migrations.PYPROJECT

HISTORY = {
    "one": """
revision, down_revision = "one", None

def upgrade():
    op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True))
    parent = sa.ForeignKey("parents.id", ondelete="CASCADE")
    op.create_table("children", sa.Column("parent_id", sa.Integer, parent))
    op.execute("INSERT INTO parents VALUES (1)")
    op.execute("INSERT INTO children VALUES (1)")
""",
    "two": """
revision, down_revision = "two", "one"

def upgrade():
    with op.batch_alter_table("parents", recreate="always") as parents:
        parents.add_column(sa.Column("name", sa.String))
""",
}


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the revisions that the application knows by these of `HISTORY`."""
    shutil.copytree(PYPROJECT.parent / "migrations", tmp_path / "migrations", ignore=lambda *_: ["versions"])
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[tool.alembic]\nscript_location = "%(here)s/migrations"\n', "utf-8")
    monkeypatch.setattr(migrations, "PYPROJECT", pyproject)
    versions = tmp_path / "migrations" / "versions"

    def know(*revisions: str) -> None:
        shutil.rmtree(versions, ignore_errors=True)
        versions.mkdir()
        for name in revisions:
            imports = "import sqlalchemy as sa\nfrom alembic import op\n"
            versions.joinpath(f"{name}.py").write_text(imports + HISTORY[name], "utf-8")

    return know


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An SQLite file that does not exist yet."""
    return tmp_path / "app.db"


def read(file: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(file)
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def test_the_schema_goes_up_and_down_and_up_again(alembic: Config) -> None:
    command.downgrade(alembic, "base")
    command.upgrade(alembic, "head")
    command.check(alembic)


def test_a_new_revision_has_plain_column_types(
    alembic: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUFF_NO_CACHE", "true")
    copy = shutil.copytree(PYPROJECT.parent / "migrations", tmp_path / "migrations")
    alembic.set_main_option("script_location", str(copy))
    table = Table("events", Base.metadata, Column("at", UtcDateTime))
    try:
        command.revision(alembic, "events", autogenerate=True)
    finally:
        Base.metadata.remove(table)
    (script,) = copy.glob("versions/*events.py")
    assert 'sa.Column("at", sa.DateTime(timezone=True), nullable=True)' in script.read_text("utf-8")


def test_altering_a_table_keeps_the_rows_that_refer_to_it(
    settings: Settings, history: Callable[..., None], file: Path
) -> None:
    history("one", "two")
    migrations.upgrade(settings.model_copy(update={"database_url": None, "sqlite_file": file}))
    assert read(file, "SELECT parents.id, name FROM parents JOIN children ON parent_id = parents.id") == [(1, None)]


def test_the_sqlite_file_is_upgraded_at_the_start(
    serve: Callable[..., TestClient], history: Callable[..., None], file: Path
) -> None:
    for known in (["one"], ["one", "two"]):
        history(*known)
        assert serve(database_url=None, sqlite_file=file).get("/readyz").status_code == 200
        assert read(file, "SELECT version_num FROM alembic_version") == [(known[-1],)]


def test_a_database_with_a_url_is_not_migrated_and_not_ready_before(
    serve: Callable[..., TestClient], history: Callable[..., None], file: Path
) -> None:
    history("one", "two")
    named = {"database_url": make_url(f"sqlite+aiosqlite:///{file}")}
    response = serve(**named).get("/readyz")
    assert (response.status_code, response.json()["type"]) == (503, "urn:problem:schema-behind")
    assert read(file, "SELECT name FROM sqlite_schema") == []


@pytest.mark.parametrize(("known", "status"), [(["one", "two"], 503), (["one"], 200), ([], 200)])
def test_an_older_schema_is_not_ready_but_a_newer_one_is(
    serve: Callable[..., TestClient], history: Callable[..., None], file: Path, known: list[str], status: int
) -> None:
    history("one")
    serve(database_url=None, sqlite_file=file)
    history(*known)
    assert serve(database_url=make_url(f"sqlite+aiosqlite:///{file}")).get("/readyz").status_code == status


SERVED = """
import os
import time
from pathlib import Path

from api.main import app

@app.get("/which")
async def which() -> int:
    time.sleep(0.02)  # the next request is for another worker
    return os.getpid()

async def start_together(scope, receive, send):
    if scope["type"] == "lifespan":
        Path(f"{os.getpid()}.here").touch()
        while len([*Path().glob("*.here")]) < 2:
            time.sleep(0.001)
    await app(scope, receive, send)
"""

GUNICORN = (sys.executable, "-m", "gunicorn", f"--config={PYPROJECT.with_name('gunicorn.conf.py')}", "--workers=2")


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
def test_two_workers_start_together_on_a_new_file_and_stop(
    tmp_path: Path,
    collector: Collector,  # option: telemetry
) -> None:
    (tmp_path / "served.py").write_text(SERVED, "utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields},
        "PYTHONPATH": str(PYPROJECT.parent),
        "SQLITE_FILE": str(tmp_path / "app.db"),
        # option: telemetry
        "OTEL_SDK_DISABLED": "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        # end: telemetry
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = subprocess.Popen(  # noqa: S603 - no shell, fixed words
            [*GUNICORN, f"--bind=fd://{listener.fileno()}", "served:start_together"],
            cwd=tmp_path,
            env=environment,
            pass_fds=[listener.fileno()],
        )
    pids: list[str] = []
    with server, ThreadPoolExecutor() as pool:
        try:
            while len(set(pids)) < 2 and len(pids) < 200:
                pids += pool.map(get_worker_pid, [port] * 2)
        finally:
            server.terminate()
    assert len(set(pids)) == 2
    assert server.returncode == 0
    # option: telemetry
    assert [span.name for span in collector.spans] == ["GET /which"] * len(pids)
    assert len({resource["service.instance.id"] for resource in collector.resources}) == 2
    # end: telemetry


def get_worker_pid(port: int) -> str:
    """Return the process id of the worker that handles a request."""
    with urlopen(f"http://127.0.0.1:{port}/which", timeout=30) as response:
        return str(response.read())


@pytest.mark.anyio
async def test_what_sqlite_has_committed_outlives_a_power_cut(settings: Settings, tmp_path: Path) -> None:
    file = settings.model_copy(update={"database_url": None, "sqlite_file": tmp_path / "app.db"})
    async with Database(file) as database, database.session() as session:
        assert await session.scalar(text("PRAGMA synchronous")) == 2  # FULL: https://sqlite.org/pragma.html
