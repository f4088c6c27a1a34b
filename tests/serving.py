"""A generated backend, served by real processes as its image serves it, and clients that ask it all at once."""

import json
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self, TypeVar
from uuid import uuid4

import pytest

from conftest import Project
from postgresql import PostgreSQL, children
from web import Answer, ask, free_port, read, wait_for

Result = TypeVar("Result")

APP = "api.main:app"


@dataclass(frozen=True)
class Server:
    """A backend that serves."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")


def private_memory(pid: int) -> int:
    """KiB that a process has to itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))


def image_command(project: Project) -> list[str]:
    """What the image runs, but for the address."""
    [command] = re.findall(r"^CMD (\[.*\])$", project.text("Dockerfile"), re.MULTILINE)
    return [argument for argument in json.loads(command) if not argument.startswith("--bind=")]


def migrate(project: Project, environment: Path, url: str) -> str:
    """Bring a database up to date, as the composition's `migrate` does."""
    done = project.run(environment / "alembic", "upgrade", "head", env={"DATABASE_URL": url})
    assert done.returncode == 0, done.stderr
    return url


def database_settings(request: pytest.FixtureRequest, project: Project, environment: Path) -> dict[str, str]:
    """Lead to an empty database of the kind that a fixture's parameter names; a file of SQLite's needs no settings."""
    if request.param != "postgresql":
        return {}
    database: PostgreSQL = request.getfixturevalue("postgresql_server")
    return {"DATABASE_URL": migrate(project, environment, database.create_database())}


@contextmanager
def serving(
    project: Project, environment: Path, folder: Path, settings: dict[str, str], port: int = 0, *, app: str = APP
) -> Iterator[Server]:
    """Serve a project as in production, or another `app` in the same way; `folder` gets its log and its SQLite file."""
    port = port or free_port()
    program, *arguments = [app if argument == APP else argument for argument in image_command(project)]
    log_file = folder / f"{port}.log"
    surroundings = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": secrets.token_urlsafe(32),
        "SQLITE_FILE": str(folder / "app.db"),
        **settings,
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [environment / program, *arguments, f"--bind=127.0.0.1:{port}"],
            cwd=project.path,
            env={**os.environ, **surroundings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log_file)
    try:
        wait_for(f"{server.url}/livez")
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def replace_workers(server: Server) -> None:
    """Let a server start its workers again, and wait until the last ones are gone."""
    before = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & set(server.workers()), "the workers are replaced")


def at_once(actions: Sequence[Callable[[], Result]]) -> list[Result]:
    """Do many things at the same moment."""
    barrier = threading.Barrier(len(actions))

    def start(action: Callable[[], Result]) -> Result:
        barrier.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(start, actions))


class Clients:
    """Clients that make budgets as fast as they are answered, and keep their connections as long as they may."""

    def __init__(self, url: str, token: str, count: int = 12) -> None:
        self._host = url.removeprefix("http://")
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._count = count
        self._stopped = threading.Event()
        self.acknowledged: set[str] = set()
        self.refusals: list[tuple[Answer, float]] = []
        self.broken: list[str] = []
        self.slowest = 0.0

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self._count)
        self._clients = [self._pool.submit(self._write) for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        with self._pool:
            for client in self._clients:
                client.result()

    def wait_for_more(self, count: int = 50) -> None:
        """Wait until so many more writes are acknowledged."""
        wanted = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= wanted, f"{count} more writes are acknowledged")

    def _write(self) -> None:
        connection = HTTPConnection(self._host, timeout=30)
        while not self._stopped.is_set():
            body = json.dumps({"name": str(uuid4()), "limit": "1.00"})
            began = time.monotonic()
            try:
                connection.request("POST", "/v1/budgets", body, self._headers)
                answer = read(connection.getresponse())
            except (OSError, HTTPException) as error:
                self.broken.append(repr(error))
                connection.close()
                time.sleep(0.01)  # a server that is gone refuses at once
                continue
            seconds = time.monotonic() - began
            self.slowest = max(self.slowest, seconds)
            if answer.status == HTTPStatus.CREATED:
                self.acknowledged.add(answer.body["id"])
            else:
                self.refusals.append((answer, seconds))
        connection.close()


def kept(server: Server, token: str) -> set[str]:
    """The ids of all budgets."""
    ids: set[str] = set()
    while True:
        page = ask("GET", f"{server.url}/v1/budgets?limit=100&offset={len(ids)}", token=token).body
        ids |= {budget["id"] for budget in page["items"]}
        if len(ids) == page["total"]:
            return ids


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)
