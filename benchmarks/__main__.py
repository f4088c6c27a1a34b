"""Measure, and write RESULTS.md: `make bench`, or `make bench args=--quick` for a glance that writes nothing."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.backends import HERE, PYTHON, ROUTES, Backend, all_backends, interpreter
from benchmarks.image import image_size, packages_size
from benchmarks.load import Cost, Server, measure, pinned, processors, serve
from benchmarks.report import Costs, Footprint, Result, page
from conftest import installed, run
from postgresql import PostgreSQL

CLIENTS, FEW_CLIENTS = 12, 4
SHOWN = ("fastapi", "sqlalchemy", "asyncpg", "gunicorn", "uvicorn")


def main() -> None:
    """Measure everything; `--quick` measures each route once, for a second, and prints the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure once, briefly, and only print")
    quick = parser.parse_args().quick
    python = run((interpreter(), "--version"), cwd=HERE).stdout.strip()
    if f" {PYTHON}." not in python:
        sys.exit(f"Python {PYTHON} is not on the PATH")
    rounds, seconds = (1, 1) if quick else (5, 2)
    commit = run(("git", "describe", "--always", "--dirty"), cwd=HERE).stdout.strip()
    began, load = datetime.now(UTC), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, pinned(processors()[1]), PostgreSQL() as database:
        folder = Path(name)
        backends = all_backends(folder, database)
        started = {name: start(backend, folder, rounds) for name, backend in backends.items()}
        with ExitStack() as stack:
            servers = {name: stack.enter_context(serve(backend, folder)) for name, backend in backends.items()}
            costs = measure_all(servers, database, CLIENTS, rounds, seconds)
            memory = {name: server.memory() for name, server in servers.items()}
            few = measure_all(servers, database, FEW_CLIENTS, rounds, seconds)
        footprints = {
            name: Footprint(versions(each), started[name], memory[name], packages_size(each), image_size(each))
            for name, each in backends.items()
        }
    machine = f"{python}, {os.cpu_count()} processors, {began:%d %B %Y}; load before the start {load:.1f}"
    result = Result(
        costs, few, CLIENTS, FEW_CLIENTS, footprints, rounds, seconds, f"Measured at {commit} with {machine}."
    )
    text = page(backends, result)
    if quick:
        print(text)
    else:
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
        draw(costs, HERE / "results.svg")


def start(backend: Backend, folder: Path, rounds: int) -> float:
    """The median of the seconds from the start to the first 200, after one that is not counted."""

    def seconds() -> Iterator[float]:
        for _ in range(rounds + 1):
            with serve(backend, folder) as server:
                yield server.started

    return statistics.median(list(seconds())[1:])


def measure_all(
    servers: Mapping[str, Server], database: PostgreSQL, clients: int, rounds: int, seconds: int
) -> dict[tuple[str, str], Cost]:
    """Measure every route of every backend, in turn, after a round that is not counted; return the medians."""
    costs: dict[tuple[str, str], list[Cost]] = {}
    for number in range(rounds + 1):
        for route in ROUTES:
            for name, server in servers.items():
                cost = measure(server, database, route, clients, seconds if number else 1)
                costs.setdefault((route, name), []).append(cost)
    return {key: Cost.median(measured[1:]) for key, measured in costs.items()}


def versions(backend: Backend) -> str:
    """The versions of the packages that matter."""
    found = {each.name.lower(): each.version for each in distributions(path=[str(backend.packages)])}
    return ", ".join(f"{name} {found[name]}" for name in SHOWN if name in found)


def draw(costs: Costs, file: Path) -> None:
    """Draw the CPU times."""
    drawn: dict[str, dict[str, float]] = {}
    for (route, name), cost in costs.items():
        drawn.setdefault(name, {})[ROUTES[route]] = cost.processor * 1e6
    python = installed(HERE / "requirements.txt", interpreter()) / "python"
    subprocess.run([python, HERE / "plot.py", file], input=json.dumps(drawn), text=True, check=True)


if __name__ == "__main__":
    main()
