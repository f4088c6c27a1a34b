"""Serve a generated backend with real processes, as its image does, and load it with concurrent clients."""

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
    """A running backend."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    def workers(self) -> list[int]:
        return children(self.process.pid)

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")


def private_memory(pid: int) -> int:
    """The private memory of a process, in KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))


def image_command(project: Project) -> list[str]:
    """The command of the image, without the address."""
    [command] = re.findall(r"^CMD (\[.*\])$", project.text("Dockerfile"), re.MULTILINE)
    return [argument for argument in json.loads(command) if not argument.startswith("--bind=")]


def migrate(project: Project, environment: Path, url: str) -> str:
    """Migrate a database, as the service `migrate` of compose does; return its URL."""
    done = project.run(environment / "alembic", "upgrade", "head", env={"DATABASE_URL": url})
    assert done.returncode == 0, done.stderr
    return url


def database_settings(request: pytest.FixtureRequest, project: Project, environment: Path) -> dict[str, str]:
    """Settings for an empty database of the kind in the fixture's parameter; SQLite needs none."""
    if request.param != "postgresql":
        return {}
    database: PostgreSQL = request.getfixturevalue("postgresql_server")
    return {"DATABASE_URL": migrate(project, environment, database.create_database())}


@contextmanager
def serving(
    project: Project,
    environment: Path,
    folder: Path,
    settings: dict[str, str],
    port: int = 0,
    *,
    app: str = APP,
    in_development: bool = False,
) -> Iterator[Server]:
    """Serve a project, or an `app` of `folder`, as the image does, or with the server of development.

    Log and SQLite file are in `folder`.
    """
    port = port or free_port()
    program, *arguments = [app if argument == APP else argument for argument in image_command(project)]
    arguments.append(f"--bind=127.0.0.1:{port}")
    if in_development:
        program, arguments = "uvicorn", [app, f"--port={port}"]
    log_file = folder / f"{port}.log"
    surroundings = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": secrets.token_urlsafe(32),
        "SQLITE_FILE": str(folder / "app.db"),
        "PYTHONPATH": f"{project.path}{os.pathsep}{folder}",
        **settings,
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [environment / program, *arguments],
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
    """Send SIGHUP, and wait until the former workers are gone."""
    before = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & set(server.workers()), "the workers are replaced")


def at_once(actions: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run actions at the same moment in threads."""
    barrier = threading.Barrier(len(actions))

    def start(action: Callable[[], Result]) -> Result:
        barrier.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(start, actions))


class Clients:
    """Concurrent clients that create budgets in a loop over kept connections.

    Every 201 is recorded in `acknowledged`, every other response in `refusals`, every broken connection in `broken`.
    """

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
        """Wait until `count` more writes are acknowledged."""
        wanted = len(self.acknowledged) + count
        wait_until(lambda: len(self.acknowledged) >= wanted, f"{count} more writes are acknowledged")

    def _write(self) -> None:
        connection = HTTPConnection(self._host, timeout=30)
        while not self._stopped.is_set():
            body = json.dumps({"name": str(uuid4()), "limit": "1.00"})
            began = time.monotonic()
            try:
                connection.request("POST", "/v1/budgets", body, self._headers)
                response = read(connection.getresponse())
            except (OSError, HTTPException) as error:
                self.broken.append(repr(error))
                connection.close()
                time.sleep(0.01)  # a stopped server refuses connections without delay
                continue
            seconds = time.monotonic() - began
            self.slowest = max(self.slowest, seconds)
            if response.status == HTTPStatus.CREATED:
                self.acknowledged.add(response.body["id"])
            else:
                self.refusals.append((response, seconds))
        connection.close()


def kept(server: Server, token: str) -> set[str]:
    """The ids of all stored budgets."""
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
