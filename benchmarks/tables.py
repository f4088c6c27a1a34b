"""What was measured, as Markdown."""

import math
import textwrap
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
    """All of it; memory in KiB, the hash and the layers in seconds of a processor."""

    crowds: dict[int, Costs]
    memory: dict[str, int]
    growth: Costs
    workers: Costs
    login: tuple[Cost, int]
    one_hash: float
    layers: dict[str, dict[str, float]]

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
STATEMENTS = "statements, by SQLAlchemy and asyncpg, and schemas"
CONNECTION = "a connection out of the pool and back, with its transaction"
MIDDLEWARE = "middleware: id, log line, headers, limits, problems"

MOST_GROWTH = 1.5
LONGEST_TAIL = 4.0


def section(plan: Plan, result: Result) -> str:
    """Write the section about what is served."""
    return f"""\
## What it serves

One worker, {plan.clients[0]} clients and as many connections to the database, {plan.rows[0]:,} transactions in one
budget; medians of {plan.rounds} interleaved rounds of {plan.seconds} s. `limit` is Starlette, asyncpg, hand-written SQL
and orjson, without validation, layers or logs, and with a pool that sends nothing of its own; `typical` is FastAPI,
SQLModel and psycopg in the thread pool, with the server's access log; the generated backend has `auth` declined, and logs
as in production. All three run in the server of the generated backend, as its image starts it, on one processor; the
clients and the database, which does not wait for its disk (`fsync` is off), share the other half of them. "CPU" is the
time that the server's processes spend on a request; it suffers least from what else the machine does.

{table(("route", "backend", "requests/s", "of the limit", "p50", "p99", "CPU", "of the limit"), main_rows(result.main))}

A worker has to itself, after that: {memory(result.memory)}.

### Goals

{table(("goal", "asked", "requests/s", "CPU"), goal_rows(result))}

### Where the time goes

CPU in µs. The same requests of as many clients inside one process, without HTTP, with ever more of the backend taken
away, medians of ten times; what they took above beyond that is the server's.

{table(("what it is spent on", *ROUTES.values()), layer_rows(result))}

{explanation(result)}

### More rows

CPU of the generated backend, in µs, with so many transactions in the budget that is read.

{table(("route", *(f"{int(rows):,}" for rows in counts(result.growth))), growth_rows(result.growth))}

### More clients

Requests a second, and p99 in ms. `typical` is not asked by more clients than it has connections: the threads that wait
for one leave none to those that have one and would give it back, so that nothing is answered before its pool's time-out
of 30 s.

{table(("route", "backend", *map(str, sorted(result.crowds))), crowd_rows(result.crowds))}

### More workers

{more_workers(result.workers)}

### Logins, where `auth` is on

{logins(*result.login, result.one_hash)}
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
    """Say which goals no tuning of ours reaches, and what they would take."""
    alone = result.layers["one"]["asyncpg alone"] * 1e6
    spent = layers(result, "one")
    without_engine = sum(spent.values()) - spent[STATEMENTS] - spent[CONNECTION] + alone
    missed = [goal for goal in GOALS if beneath(result, goal.route) > allowed(result, goal)]
    out_of_reach = "; ".join(f"{ROUTES[goal.route]}, beside `{goal.other}`" for goal in missed)
    return textwrap.fill(
        "The server, FastAPI, and SQLAlchemy with asyncpg and the schemas are beneath our own code. Without the middleware "
        f"they alone take more than these goals allow: {out_of_reach or 'none'}. What they would take is SQL that is "
        "written for one driver, twice where SQLite serves too, in the place of SQLAlchemy's engine: asyncpg alone has one "
        f"transaction in {alone:,.0f} µs, so that all of it would take {without_engine:,.0f} µs. `GET /livez`, which has no "
        "SQL, would have to pass FastAPI by.",
        width=120,
        break_on_hyphens=False,
    )


def allowed(result: Result, goal: Goal) -> float:
    """The µs that a request may take to reach a goal."""
    return result.main[goal.route, goal.other].processor / goal.times * 1e6


def beneath(result: Result, route: str) -> float:
    """The µs of a request that what is beneath our code takes: all but the middleware."""
    return sum(spent for title, spent in layers(result, route).items() if title != MIDDLEWARE)


def layers(result: Result, route: str) -> dict[str, float]:
    """The µs that each layer takes of a request: the difference of two measurements."""
    spent = {step: seconds * 1e6 for step, seconds in result.layers[route].items()}
    served = result.main[route, "generated"].processor * 1e6
    all_of_it, without_middleware = spent["all"], spent["without middleware"]
    without_statements = spent.get("without statements", all_of_it)
    without_connection = spent.get("without connection", without_statements)
    return {
        "the server: HTTP, tasks, the connection of the client": served - all_of_it,
        "FastAPI: routes, dependencies, the answer": without_middleware,
        STATEMENTS: all_of_it - without_statements,
        CONNECTION: without_statements - without_connection,
        MIDDLEWARE: without_connection - without_middleware,
    }


def counts(measured: Costs) -> list[str]:
    """The numbers of rows or of workers that were compared."""
    return list(dict.fromkeys(count for _, count in measured))


def judged(value: float, unit: str = "", *, least: float = -math.inf, most: float = math.inf) -> str:
    """Write a figure, and a mark where it is too small or too large."""
    return f"{value:.2f}{unit}{'' if least <= value <= most else ' ✗'}"


def layer_rows(result: Result) -> Iterator[list[str]]:
    """Each layer of each route, all of them, and what is asked."""
    spent = [layers(result, route) for route in ROUTES]
    for title in spent[0]:
        yield [title, *(f"{each[title]:,.0f}" for each in spent)]
    yield ["all of it", *(f"{sum(each.values()):,.0f}" for each in spent)]
    for other in dict.fromkeys(goal.other for goal in GOALS):
        asked = {goal.route: f"{allowed(result, goal):,.0f}" for goal in GOALS if goal.other == other}
        yield [f"asked, beside `{other}`", *(asked.get(route, "") for route in ROUTES)]


def growth_rows(growth: Costs) -> Iterator[list[str]]:
    """CPU by the number of rows."""
    for route, title in ROUTES.items():
        yield [title, *(f"{growth[route, rows].processor * 1e6:,.0f}" for rows in counts(growth))]


def more_workers(workers: Costs) -> str:
    """Requests by the number of workers."""
    if not workers:
        return "There is one processor beside that of the clients, so more workers would only share it."
    rows = (
        [title, *(f"{workers[route, count].rate:,.0f}" for count in counts(workers))] for route, title in ROUTES.items()
    )
    return f"Requests a second of the generated backend.\n\n{table(('route', *counts(workers)), rows)}"


def logins(cost: Cost, kib: int, one_hash: float) -> str:
    """What a login costs, and what of it is the hash that shall be slow."""
    return f"""\
One client: {cost.rate:.1f} a second, p50 {cost.p50 * 1e3:.0f} ms, p99 {cost.p99 * 1e3:.0f} ms,
{cost.processor * 1e3:.0f} ms of CPU each; the Argon2id hash in it takes {one_hash * 1e3:.0f} ms alone. A worker has
{kib / 1024:.0f} MiB to itself, after that."""


def crowd_rows(crowds: dict[int, Costs]) -> Iterator[list[str]]:
    """Requests and latency by the number of clients."""
    for route, title in ROUTES.items():
        for name in BACKENDS:
            costs = (crowds[clients].get((route, name)) for clients in sorted(crowds))
            yield [title, name, *(f"{cost.rate:,.0f}, {cost.p99 * 1e3:.0f}" if cost else "" for cost in costs)]
