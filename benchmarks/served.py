"""How fast the generated backend serves, beside the limit and beside what most templates do."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from benchmarks import tables
from benchmarks.backends import BUDGET, EMPTY_BUDGETS, HERE, POOL, backends, bake, environment, fill, forget
from benchmarks.load import Cost, Costs, Plan, halves, measure, pinned, write_requests
from benchmarks.tables import ROUTES
from conftest import Project
from postgresql import PostgreSQL
from serving import Server, migrate, private_memory
from web import sign_in

FULL = Plan(rounds=5, seconds=2, rows=(1_000, 100_000, 1_000_000), clients=(32, 1, 256), workers=(1, 2, 4))
QUICK = Plan(rounds=1, seconds=2, rows=(1_000,), clients=(32,), workers=(1,))


class Subject(NamedTuple):
    """What is measured, and how many transactions the budget in its database has."""

    server: Server
    url: str
    rows: int


ONE_HASH = """
from time import process_time
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
hasher = PasswordHash([Argon2Hasher()])
hashed = hasher.hash("a password of a few words")
begun = process_time()
for _ in range(10):
    hasher.verify("a password of a few words", hashed)
print((process_time() - begun) / 10)
"""


def run(*, quick: bool) -> str:
    """Measure; draw what came out, and give the section about it."""
    plan = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder, pinned(halves().clients), PostgreSQL() as server:
        result = Bench(plan, server, Path(folder)).run()
    if not quick:
        draw(result, HERE / "results.svg")
    return tables.section(plan, result)


class Bench:
    """A database server, and a backend that was generated for it."""

    def __init__(self, plan: Plan, server: PostgreSQL, folder: Path) -> None:
        self._plan = plan
        self._server = server
        self._folder = folder
        self._project = bake(folder / "open", "auth=no", "ci=none")

    def run(self) -> tables.Result:
        """Measure all that is planned."""
        url = self._fill(self._plan.rows[0])
        with backends(self._project, url, self._folder) as servers:
            subjects = {name: Subject(server, url, self._plan.rows[0]) for name, server in servers.items()}
            usual, *others = self._plan.clients
            crowds = {usual: self._measure(subjects, usual)}
            memory = {name: private_memory(server.workers()[0]) for name, server in servers.items()}
            for clients in others:
                if clients > POOL:
                    subjects.pop("typical", None)  # answers nothing at all: see `tables.section`
                crowds[clients] = self._measure(subjects, clients)
        return tables.Result(
            crowds=crowds,
            memory=memory,
            growth=self._grow(),
            workers=self._multiply(url),
            login=self._login(),
            one_hash=one_hash(),
            layers=layers(self._project, url, rounds=10),
        )

    def _measure(self, subjects: Mapping[str, Subject], clients: int) -> Costs:
        """Measure every route of every subject, in turn."""
        costs: dict[tuple[str, str], list[Cost]] = {}
        for number in range(self._plan.rounds + 1):  # the first warms them up
            for route in ROUTES:
                for name, (server, url, rows) in subjects.items():
                    if route == "create":
                        forget(self._server, url)
                    file = self._requests(route, requests(route, rows))
                    cost = measure(server, file, clients, self._plan.seconds if number else 1)
                    costs.setdefault((route, name), []).append(cost)
        return {key: Cost.median(measured[1:]) for key, measured in costs.items()}

    def _grow(self) -> Costs:
        """Measure the generated backend with ever more rows, side by side."""
        with ExitStack() as stack:
            subjects = {}
            for rows in self._plan.rows:
                url = self._fill(rows)
                servers = stack.enter_context(backends(self._project, url, self._folder, "generated"))
                subjects[str(rows)] = Subject(servers["generated"], url, rows)
            return self._measure(subjects, self._plan.clients[0])

    def _multiply(self, url: str) -> Costs:
        """Measure it with ever more workers, if there are processors for more than one."""
        counts = [count for count in self._plan.workers if count <= len(halves().servers)]
        with ExitStack() as stack:
            subjects = {}
            for workers in counts if len(counts) > 1 else ():
                context = backends(self._project, url, self._folder, "generated", workers=workers)
                subjects[str(workers)] = Subject(stack.enter_context(context)["generated"], url, self._plan.rows[0])
            return self._measure(subjects, self._plan.clients[0])

    def _login(self) -> tuple[Cost, int]:
        """Measure logins; give also the KiB that the worker has to itself then."""
        project = bake(self._folder / "closed", "ci=none")
        url = migrate(project, environment(), self._server.create_database())
        form = "username=ada%40example.com&password=a+password+of+a+few+words"
        file = self._requests("login", [f"POST /v1/auth/token application/x-www-form-urlencoded {form}"])
        with backends(project, url, self._folder, "generated") as servers:
            server = servers["generated"]
            sign_in(server.url)
            seconds = 3 * self._plan.seconds  # a hash is slow on purpose
            measured = [measure(server, file, 1, seconds) for _ in range(self._plan.rounds + 1)]
            return Cost.median(measured[1:]), private_memory(server.workers()[0])

    def _fill(self, rows: int) -> str:
        return fill(self._project, self._server, rows)

    def _requests(self, route: str, asked: list[str]) -> Path:
        return write_requests(self._folder / f"{route}.txt", asked)


def requests(route: str, rows: int) -> list[str]:
    """What a route is asked, in turn, where the budget has so many transactions."""
    budget = f"/v1/budgets/{BUDGET}/transactions"
    body = json.dumps({"amount": "0.01", "description": "Bread and butter"})
    match route:
        case "livez":
            return ["GET /livez"]
        case "one":
            return [f"GET {budget}/{UUID(int=1 + number * rows // 1_000)}" for number in range(1_000)]
        case "page":
            return [f"GET {budget}?limit=20"]
        case _:
            return [f"POST /v1/budgets/{empty}/transactions application/json {body}" for empty in EMPTY_BUDGETS]


def layers(project: Project, url: str, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of a processor for each route, with ever more of the backend taken away: see `layers.py`."""
    settings = {
        "DATABASE_URL": url,
        "DATABASE_POOL_SIZE": str(POOL),
        "ENVIRONMENT": "production",
        "PYTHONPATH": str(project.path),
    }
    done = project.run(environment() / "python", HERE / "layers.py", str(rounds), str(POOL), env=settings)
    taken_away: dict[str, dict[str, float]] = json.loads(done.stdout)
    return taken_away


def draw(result: tables.Result, file: Path) -> None:
    """Draw the rates of all backends, and how ours grows with the rows."""
    drawn = {
        "bars": [(route, name, cost.rate) for (route, name), cost in result.main.items()],
        "growth": [(route, int(rows), cost.processor) for (route, rows), cost in result.growth.items()],
    }
    command = [str(part) for part in (environment() / "python", HERE / "plot.py", file)]
    subprocess.run(command, input=json.dumps(drawn), text=True, check=True)


def one_hash() -> float:
    """Seconds of a processor for the one comparison of a password in a login."""
    command = [str(environment() / "python"), "-c", ONE_HASH]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
