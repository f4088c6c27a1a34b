"""What one server is asked by many clients, and what that costs."""

import json
import os
import statistics
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple, Self

from serving import Server

SCRIPT = Path(__file__).with_name("load.lua")


class Cost(NamedTuple):
    """What a route costs: requests a second, and in seconds two latencies and the server's processor a request."""

    rate: float
    p50: float
    p99: float
    processor: float

    @classmethod
    def median(cls, costs: Iterable[Self]) -> Self:
        return cls(*(statistics.median(values) for values in zip(*costs, strict=True)))


Costs = dict[tuple[str, str], Cost]
"""By route and backend."""


class Plan(NamedTuple):
    """How much is measured; rows, clients and workers begin with those of the main table."""

    rounds: int
    seconds: int
    rows: tuple[int, ...]
    clients: tuple[int, ...]
    workers: tuple[int, ...]


class Halves(NamedTuple):
    """The processors: a worker has one of the servers' to itself, the clients and the database share the others."""

    servers: list[int]
    clients: list[int]


@cache
def halves() -> Halves:
    """Divide those that we have."""
    processors = sorted(os.sched_getaffinity(0))
    half = len(processors) // 2
    return Halves(processors[:half], processors[half:])


@contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """Start processes that stay on these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def write_requests(file: Path, requests: list[str]) -> Path:
    """Keep what the clients ask in turn: `METHOD PATH TYPE BODY`, the last two for a request that has a body."""
    file.write_text("\n".join(requests) + "\n", encoding="ascii")
    return file


def measure(server: Server, requests: Path, clients: int, seconds: int) -> Cost:
    """Ask for a while.

    Raises:
        RuntimeError: where a request failed, since a refusal is cheap, or none was answered.
    """
    before = processor_seconds(server)
    options = ("--threads=1", f"--connections={clients}", f"--duration={seconds}s", "--timeout=10s")
    command = ["wrk", *options, f"--script={SCRIPT}", server.url, "--", str(requests)]
    with pinned(halves().clients):
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    spent = processor_seconds(server) - before
    told = json.loads(done.stdout.splitlines()[-1])
    if told["failed"] or not told["requests"]:
        message = f"{told['failed']} of {told['requests']} requests failed: {requests.name}\n{server.log()[-2000:]}"
        raise RuntimeError(message)
    return Cost(told["requests"] / told["seconds"], told["p50"], told["p99"], spent / told["requests"])


def processor_seconds(server: Server) -> float:
    """What the server's processes have used so far: proc(5), utime and stime."""
    stats = (Path(f"/proc/{pid}/stat").read_text(encoding="ascii") for pid in (server.process.pid, *server.workers()))
    fields = (stat.rpartition(")")[2].split() for stat in stats)
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")
