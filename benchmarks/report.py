"""RESULTS.md: what was measured, as tables."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.backends import PUBLISHED, ROUTES, ROWS, Backend
from benchmarks.load import Cost

Costs = Mapping[tuple[str, str], Cost]
"""By route and name of the backend."""

GOALS = {"health": 1.0, "page": 0.6, "create": 0.8}
"""CPU per request of the generated backend, at most so many times that of the best published generator."""


class Footprint(NamedTuple):
    """Versions, seconds from the start to the first 200, MiB of a worker, MB of packages, and the image."""

    versions: str
    started: float
    memory: float
    packages: float
    image: str


class Result(NamedTuple):
    """Everything that was measured; `few` is with `few_clients`, fewer than any pool keeps connections open."""

    costs: Costs
    few: Costs
    clients: int
    few_clients: int
    footprints: Mapping[str, Footprint]
    rounds: int
    seconds: int
    machine: str


def page(backends: Mapping[str, Backend], result: Result) -> str:
    """Write RESULTS.md."""
    published = " and ".join(f"`{package}` {version}" for package, version in PUBLISHED.items())
    goals = "\n".join(goal_rows(result))
    return f"""\
# The generated backend beside others

Written by `make bench`, never by hand. Compare figures within one run: absolute figures depend on the machine.

![CPU time of a request](results.svg)

{table(("route", "backend", "requests/s", "CPU", "p50", "p99", "what a request does"), cost_rows(backends, result.costs))}

| CPU per request beside the best published generator | goal | {result.clients} clients | {result.few_clients} clients |
| --- | ---: | ---: | ---: |
{goals}

{table(("backend", "first 200", "worker", "packages", "image above its base", "versions"), footprint_rows(result))}

## How it was measured

- Each backend as it ships, with its own server, settings, pool and tables: {published}, generated
  with SQLAlchemy, asyncpg and PostgreSQL, and served by the command of their Dockerfiles; `generated` is this template with
  `auth` declined, `generated, auth` with its default answers, both in production. `fastapi-fullstack` is generated without Logfire, AI and
  front end, with its example resource.
- `limit` (Starlette, asyncpg, hand-written SQL, orjson) and `typical` (FastAPI, SQLModel, psycopg in the thread pool) run in
  the server of the generated backend, on its tables.
- One worker on one processor; wrk with {result.clients} clients and PostgreSQL, with `fsync` off, on the others. {ROWS:,} rows,
  written again before each measurement. Medians of {result.rounds} interleaved rounds of {result.seconds} s.
- CPU is utime and stime of the server's processes, divided by the requests; it depends least on what else the machine does.
  "worker" is the private memory of a worker after that. "first 200" is the median from the start of the command.

## Limits

- The routes are not equal: the last column of the first table says what each does. `fastapi-template` has no route for one row,
  and its page has neither an order nor a total; `fastapi-fullstack` selects the user for each request.
- The pools of the published ones keep 5 connections and open up to 10 more, which they close after use: with
  {result.clients} clients they may spend CPU on new connections, with {result.few_clients} they don't. So the goals are given for both.
- Local connections without TLS or passwords, small rows, one processor: nothing here says how any of them scales.

{result.machine}
"""


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Draw a table."""
    head, *body = [list(row) for row in (titles, *rows)]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cost_rows(backends: Mapping[str, Backend], costs: Costs) -> Iterator[list[str]]:
    """A row for each route and backend."""
    for route, title in ROUTES.items():
        for name, backend in backends.items():
            rate, p50, p99, processor = costs[route, name]
            times = (f"{processor * 1e6:,.0f} µs", f"{p50 * 1e3:.1f} ms", f"{p99 * 1e3:.1f} ms")
            yield [title, name, f"{rate:,.0f}", *times, backend.work[route]]


def goal_rows(result: Result) -> Iterator[str]:
    """A row for each goal, and for the same with `auth`, for which there is none."""
    for name in ("generated", "generated, auth"):
        for route, title in ROUTES.items():
            goal = GOALS.get(route) if name == "generated" else None
            ratios = (beside_best(costs, route, name) for costs in (result.costs, result.few))
            cells = (f"{ratio:.2f}{' ✗' if goal and ratio > goal else ''}" for ratio in ratios)
            yield f"| {title}, `{name}` | {f'≤ {goal}' if goal else ''} | {' | '.join(cells)} |"


def beside_best(costs: Costs, route: str, name: str) -> float:
    """The CPU time of a request, divided by the least of the published generators."""
    return costs[route, name].processor / min(costs[route, other].processor for other in PUBLISHED)


def footprint_rows(result: Result) -> Iterator[list[str]]:
    """A row for each backend."""
    for name, (versions, started, memory, packages, image) in result.footprints.items():
        shipped = [f"{packages:.0f} MB", image, versions] if image else [""] * 3
        yield [name, f"{started:.2f} s", f"{memory:.0f} MiB", *shipped]
