"""What is measured against each other does the same work."""

import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks import tables
from benchmarks.backends import backends, bake, fill
from benchmarks.load import Cost, measure, write_requests
from benchmarks.served import QUICK, draw, layers, requests
from benchmarks.tables import BACKENDS, ROUTES
from conftest import ROOT, Project, run
from postgresql import PostgreSQL
from serving import Server, at_once
from web import ask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc, and bound to processors"),
]

ROWS = 30
TRANSACTIONS = f"/v1/budgets/{UUID(int=1)}/transactions"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The generated backend."""
    return bake(tmp_path_factory.mktemp("benchmarks") / "project", "auth=no", "ci=none")


@pytest.fixture(scope="module")
def url(project: Project, postgresql_server: PostgreSQL) -> str:
    """A database with its tables."""
    return fill(project, postgresql_server, ROWS)


@pytest.fixture(scope="module")
def servers(project: Project, url: str) -> Iterator[dict[str, Server]]:
    """The generated backend, the limit and the typical template, on one database."""
    with backends(project, url, project.path.parent) as servers:
        yield servers


@pytest.mark.parametrize(
    "path",
    ["/livez", TRANSACTIONS, f"{TRANSACTIONS}?limit=2&offset=3", f"{TRANSACTIONS}/{UUID(int=ROWS)}"],
)
def test_all_give_the_same_answers(servers: dict[str, Server], path: str) -> None:
    answers = [ask("GET", f"{server.url}{path}") for server in servers.values()]
    assert {answer.status for answer in answers} == {200}
    assert all(answer.body == answers[0].body for answer in answers)


def test_all_create_the_same_transaction(servers: dict[str, Server]) -> None:
    body = {"amount": "0.01", "description": "Bread"}
    path = f"/v1/budgets/{UUID(int=2)}/transactions"
    for server in servers.values():
        created = ask("POST", f"{server.url}{path}", body)
        assert created.status == 201
        for other in servers.values():
            assert ask("GET", f"{other.url}{path}/{created.body['id']}").body == created.body


def test_all_keep_the_limit_when_many_spend_at_once(servers: dict[str, Server]) -> None:
    for number, server in enumerate(servers.values(), start=3):
        path = f"{server.url}/v1/budgets/{UUID(int=number)}/transactions"
        body = {"amount": "200000000000.00", "description": "Bread"}  # there is room for four
        statuses = [answer.status for answer in at_once([partial(ask, "POST", path, body)] * 8)]
        assert sorted(statuses) == [201] * 4 + [409] * 4
        assert ask("GET", path).body["total"] == 4


def test_a_glance_measures_every_route(servers: dict[str, Server], tmp_path: Path) -> None:
    if not shutil.which("wrk"):
        pytest.skip("wrk is not installed")
    for route in ROUTES:
        asked = requests(route, ROWS)
        for server in servers.values():
            cost = measure(server, write_requests(tmp_path / route, asked), clients=2, seconds=1)
            assert cost.rate > 0
            assert 0 < cost.p50 <= cost.p99
            assert cost.processor > 0


def test_the_parts_of_a_request_are_told_with_the_goals_that_are_missed(
    project: Project, url: str, tmp_path: Path
) -> None:
    costs = {
        (route, backend): Cost(rate=1 / seconds, p50=seconds, p99=5 * seconds, processor=seconds)
        for route in ROUTES
        for backend, seconds in zip(BACKENDS, (0.01, 0.02, 0.05), strict=True)
    }
    growth = {(route, rows): costs[route, "generated"] for route in ROUTES for rows in ("10", "20")}
    result = tables.Result(
        crowds={32: costs},
        memory={"limit": 1024},
        growth=growth,
        workers={},
        login=(costs["one", "limit"], 2048),
        one_hash=0.1,
        layers=layers(project, url, rounds=1),
    )
    told = tables.section(QUICK, result)
    assert "| one transaction, times `limit` | ≥ 0.35 | 0.50 | 0.50 |" in told
    assert "| a page of 20, with the total, times `limit` | ≥ 0.55 | 0.50 ✗ | 0.50 ✗ |" in told
    assert "| one transaction, times `typical` | ≥ 2.5 | 2.50 | 2.50 |" in told
    assert "| create a transaction, p99 / p50 | ≤ 4 | 5.00 ✗ |  |" in told
    rows = [[int(figure.replace(",", "") or 0) for figure in figures] for _, *figures in tables.layer_rows(result)]
    *parts, total = rows[: -len({goal.other for goal in tables.GOALS})]
    assert [sum(each) for each in zip(*parts, strict=True)] == pytest.approx(total, abs=len(parts))
    assert all(part > 0 for part in parts[1])
    draw(result, tmp_path / "results.svg")
    assert "<svg" in (tmp_path / "results.svg").read_text(encoding="utf-8")


def test_the_generator_is_measured_from_the_answers_to_the_first_200() -> None:
    command = (sys.executable, "-m", "benchmarks", "--quick", "--only", "generator")
    done = run(command, cwd=ROOT, env={"PYTHONPATH": "tests"})
    assert done.returncode == 0, done.stderr
    for figure in (
        r"\| this one \| \d+ ms \| \d+ ms \| \d\.\d\d \| \d\.\d\d \|",
        r"\| this one, `api.main` imported as well \| \d+ \| \d+\.\d\d s \| \d+\.\d\d s \|",
        r"\| from the answers to the first 200, by what `make run` runs \| ≤ 5 s \| \d+\.\d\d s",
    ):
        assert re.search(figure, done.stdout), done.stdout
