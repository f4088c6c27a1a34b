"""What was measured, as Markdown."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmarks.load import Cost, Costs, Plan

ROUTES = {
    "livez": "`GET /livez`",
    "one": "one transaction",
    "page": "a page of 20, with the total",
    "create": "create a transaction",
}
BACKENDS = ("limit", "generated", "typical")


class Result(NamedTuple):
    """All of it; memory in KiB, the hash in seconds."""

    crowds: dict[int, Costs]
    memory: dict[str, int]
    growth: Costs
    workers: Costs
    login: Cost
    one_hash: float
    layers: dict[str, float]

    @property
    def main(self) -> Costs:
        """What the first number of clients costs."""
        return next(iter(self.crowds.values()))


class Goal(NamedTuple):
    """At least so many times the requests that another backend answers."""

    route: str
    times: float
    other: str


GOALS = (
    Goal("livez", 0.60, "limit"),
    Goal("one", 0.35, "limit"),
    Goal("page", 0.55, "limit"),
    Goal("create", 0.30, "limit"),
    Goal("one", 2.5, "typical"),
    Goal("page", 3.0, "typical"),
    Goal("create", 2.5, "typical"),
)
MOST_GROWTH = 1.5
LONGEST_TAIL = 4.0


def section(plan: Plan, result: Result) -> str:
    """Write the section about what is served."""
    return f"""\
## What it serves

One worker, {plan.clients[0]} clients and as many connections to the database, {plan.rows[0]:,} transactions in one
budget; medians of {plan.rounds} interleaved rounds of {plan.seconds} s. `limit` is Starlette, asyncpg, hand-written SQL
and orjson, without validation, layers or logs; `typical` is FastAPI, SQLModel and psycopg in the thread pool, with the
server's access log. All three run in the server of the generated backend, as its image starts it, on one processor; the
clients and the database share the other. "CPU" is the time that the server's processes spend on a request; it suffers
least from what else the machine does.

{table(("route", "backend", "requests/s", "of the limit", "p50", "p99", "CPU", "of the limit"), main_rows(result.main))}

A worker has to itself, after that: {memory(result.memory)}.

### Goals

{table(("goal", "asked", "requests/s", "CPU"), goal_rows(result))}

### Where the time of one transaction goes

The same request inside one process, without HTTP, and with ever more of the backend taken away; the best of ten times.

{table(("what it is spent on", "CPU"), layer_rows(result.layers))}

{explanation(result)}

### More rows

CPU of the generated backend, in µs, with so many transactions in the budget that is read.

{table(("route", *(f"{int(rows):,}" for rows in counts(result.growth))), growth_rows(result.growth))}

### More clients

Requests a second, and p99 in ms. `typical` is missing, since it answers nothing to 256 clients before its pool's time-out
of 30 s: the threads that wait for a connection leave none to those that have one and would give it back.

{table(("route", "backend", *map(str, sorted(result.crowds))), crowd_rows(result.crowds))}

### More workers

Requests a second of the generated backend; as many workers as there are processors beside that of the clients.

{table(("route", *counts(result.workers)), worker_rows(result.workers))}

### Logins, where `auth` is on

One client: {result.login.rate:.1f} a second, p50 {result.login.p50 * 1e3:.0f} ms, p99 {result.login.p99 * 1e3:.0f} ms,
{result.login.processor * 1e3:.0f} ms of CPU each; the Argon2id hash in it takes {result.one_hash * 1e3:.0f} ms alone.
"""


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Draw a table; all but the first column are aligned to the right."""
    head, *body = [list(row) for row in (titles, *rows)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main_rows(costs: Costs) -> Iterator[list[str]]:
    """A row for each route and backend."""
    for route, title in ROUTES.items():
        limit = costs[route, "limit"]
        for name in BACKENDS:
            cost = costs[route, name]
            yield [
                title,
                name,
                f"{cost.rate:,.0f}",
                f"{cost.rate / limit.rate:.2f}",
                f"{cost.p50 * 1e3:.1f} ms",
                f"{cost.p99 * 1e3:.1f} ms",
                f"{cost.processor * 1e6:,.0f} µs",
                f"{limit.processor / cost.processor:.2f}",
            ]


def memory(memory: dict[str, int]) -> str:
    """Name each backend with its MiB."""
    return ", ".join(f"`{name}` {kib / 1024:.0f} MiB" for name, kib in memory.items())


def goal_rows(result: Result) -> Iterator[list[str]]:
    """Each goal, how far it is reached by requests a second and by CPU, and whether that is enough."""
    for goal in GOALS:
        ours, theirs = result.main[goal.route, "generated"], result.main[goal.route, goal.other]
        times = (ours.rate / theirs.rate, theirs.processor / ours.processor)
        title = f"{ROUTES[goal.route]}, times `{goal.other}`"
        yield [title, f"≥ {goal.times}", *(judged(value, least=goal.times) for value in times)]
    for route, title in ROUTES.items():
        cost = result.main[route, "generated"]
        tail = cost.p99 / cost.p50
        yield [f"{title}, p99 / p50", f"≤ {LONGEST_TAIL:.0f}", judged(tail, most=LONGEST_TAIL), ""]
    fewest, *more = counts(result.growth)
    for route, title in ROUTES.items() if more else ():
        small, large = result.growth[route, fewest], result.growth[route, more[-1]]
        times = (small.rate / large.rate, large.processor / small.processor)
        yield [
            f"{title}, {int(more[-1]):,} rows / {int(fewest):,}",
            f"≤ {MOST_GROWTH}",
            *(judged(value, most=MOST_GROWTH) for value in times),
        ]


def explanation(result: Result) -> str:
    """Say what a goal that is missed would take."""
    allowed = {
        goal.route: result.main[goal.route, "limit"].processor / goal.times * 1e6
        for goal in GOALS
        if goal.other == "limit"
    }
    server = result.main["livez", "limit"].processor * 1e6
    layers = {name: seconds * 1e6 for name, seconds in result.layers.items()}
    database = layers["all"] - layers["without connection"]
    return f"""\
To be as near to the limit as is asked, one transaction may take {allowed["one"]:,.0f} µs of CPU. The server takes up to {server:,.0f} of
them, as `GET /livez` of the limit shows, FastAPI {layers["without middleware"]:,.0f} and SQLAlchemy with asyncpg {database:,.0f}, before a
request has an id, a log line or a header. `GET /livez` may take {allowed["livez"]:,.0f} µs: the server {server:,.0f}, FastAPI
{layers["livez without middleware"]:,.0f}, the middleware {layers["livez"] - layers["livez without middleware"]:,.0f}. Where the first of these are more than is allowed, no tuning of
ours would reach the goal: it would take SQL that is written for one driver, without SQLAlchemy's engine, and for
`GET /livez` a route that passes FastAPI by."""


def counts(measured: Costs) -> list[str]:
    """The numbers of rows or of workers that were compared."""
    return list(dict.fromkeys(count for _, count in measured))


def judged(value: float, unit: str = "", *, least: float = -math.inf, most: float = math.inf) -> str:
    """Write a figure, and a mark where it is too small or too large."""
    return f"{value:.2f}{unit}{'' if least <= value <= most else ' ✗'}"


def layer_rows(layers: dict[str, float]) -> Iterator[list[str]]:
    """What each layer takes: the difference of two measurements."""
    parts = {
        "the statement, by SQLAlchemy and asyncpg, and the schema": ("all", "without statement"),
        "a connection out of the pool and back": ("without statement", "without connection"),
        "middleware: id, log line, headers, limits, problems": ("without connection", "without middleware"),
    }
    for title, (more, less) in parts.items():
        yield [title, f"{(layers[more] - layers[less]) * 1e6:,.0f} µs"]
    yield ["FastAPI: routes, dependencies, the answer", f"{layers['without middleware'] * 1e6:,.0f} µs"]
    yield ["all of it", f"{layers['all'] * 1e6:,.0f} µs"]
    yield ["for comparison: the statement and a connection, by asyncpg alone", f"{layers['asyncpg'] * 1e6:,.0f} µs"]


def growth_rows(growth: Costs) -> Iterator[list[str]]:
    """CPU by the number of rows."""
    for route, title in ROUTES.items():
        yield [title, *(f"{growth[route, rows].processor * 1e6:,.0f}" for rows in counts(growth))]


def worker_rows(workers: Costs) -> Iterator[list[str]]:
    """Requests by the number of workers."""
    for route, title in ROUTES.items():
        yield [title, *(f"{workers[route, count].rate:,.0f}" for count in counts(workers))]


def crowd_rows(crowds: dict[int, Costs]) -> Iterator[list[str]]:
    """Requests and latency by the number of clients."""
    for route, title in ROUTES.items():
        for name in ("limit", "generated"):
            costs = (crowds[clients][route, name] for clients in sorted(crowds))
            yield [title, name, *(f"{cost.rate:,.0f}, {cost.p99 * 1e3:.0f}" for cost in costs)]
