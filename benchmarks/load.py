"""Serve a backend on one processor, and measure its requests from the others."""

import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlencode
from urllib.request import urlopen

from benchmarks.backends import Backend
from postgresql import PostgreSQL, children
from serving import private_memory
from web import ask, free_port, wait_for

SCRIPT = Path(__file__).with_name("load.lua")


class Cost(NamedTuple):
    """Of a route: requests/s, and in seconds the median latency, its 99th percentile and the CPU time of a request."""

    rate: float
    p50: float
    p99: float
    processor: float

    @classmethod
    def median(cls, costs: Iterable[Self]) -> Self:
        return cls(*(statistics.median(values) for values in zip(*costs, strict=True)))


class Server(NamedTuple):
    """A running backend, and the seconds from its start to the first 200."""

    backend: Backend
    url: str
    pid: int
    log_file: Path
    started: float

    def processes(self) -> list[int]:
        """The ids of the server and its workers."""
        return [self.pid, *children(self.pid)]

    def processor_seconds(self) -> float:
        """The CPU time of all processes until now: utime and stime of proc(5)."""
        stats = (Path(f"/proc/{pid}/stat").read_text(encoding="ascii") for pid in self.processes())
        fields = (stat.rpartition(")")[2].split() for stat in stats)
        return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """The private memory of a worker, in MiB; a server without workers is one itself."""
        return private_memory(self.processes()[-1]) / 1024

    def sign_in(self) -> str:
        """Return an access token of a user, who is registered before if necessary."""
        if not self.backend.users:
            return ""
        register, login = self.backend.users
        email, password = "ada@example.com", "a password of a few words"
        ask("POST", f"{self.url}{register}", {"email": email, "password": password})
        form = urlencode({"username": email, "password": password}).encode()
        with urlopen(f"{self.url}{login}", form, timeout=10) as response:  # noqa: S310 - the URL is of a backend that was started here
            token: str = json.load(response)["access_token"]
        return token


@cache
def processors() -> tuple[set[int], set[int]]:
    """Divide the processors: the server has one, the clients and the database share the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others or [first])


@contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """Start processes that stay on these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def serve(backend: Backend, folder: Path) -> Iterator[Server]:
    """Serve a backend; its log is in the folder."""
    port = str(free_port())
    log_file = folder / f"{port}.log"
    settings = {name: value.replace("{port}", port) for name, value in backend.settings.items()}
    with log_file.open("wb") as log, pinned(processors()[0]):
        began = time.monotonic()
        process = subprocess.Popen(
            [str(part).replace("{port}", port) for part in backend.command],
            cwd=backend.folder,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}{backend.health}", 60, pause=0.01)
        yield Server(backend, url, process.pid, log_file, time.monotonic() - began)
    except AssertionError as error:
        error.add_note(log_file.read_text(encoding="utf-8")[-2000:])
        raise
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measure(server: Server, database: PostgreSQL, route: str, clients: int, seconds: int) -> Cost:
    """Fill the table again, and send the requests of a route for a while.

    Raises:
        RuntimeError: A request failed, which takes less time than a success, or none was answered.
    """
    token = server.sign_in()  # before the rows, which need their owner
    for statement in (server.backend.rows, "VACUUM ANALYZE"):
        database.query(statement, server.backend.database)
    requests = server.log_file.with_suffix(f".{route}")
    requests.write_text("\n".join(server.backend.requests[route]) + "\n", encoding="ascii")
    options = ["--threads=1", f"--connections={clients}", f"--duration={seconds}s", "--timeout=10s"]
    options += ["--header", f"Authorization: Bearer {token}"] if token else []
    command = ["wrk", *options, f"--script={SCRIPT}", server.url, "--", str(requests)]
    before = server.processor_seconds()
    with pinned(processors()[1]):
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    spent = server.processor_seconds() - before
    result = json.loads(done.stdout.splitlines()[-1])
    if result["failed"] or not result["requests"]:
        log = server.log_file.read_text(encoding="utf-8")[-2000:]
        message = f"{result['failed']} of {result['requests']} requests failed: {requests}\n{log}"
        raise RuntimeError(message)
    return Cost(result["requests"] / result["seconds"], result["p50"], result["p99"], spent / result["requests"])
