"""What is measured against each other does the same work."""

import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.backends import backends, bake, fill
from benchmarks.load import measure, write_requests
from benchmarks.served import requests
from benchmarks.tables import ROUTES
from conftest import ROOT, run
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
def servers(postgresql_server: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """The generated backend, the limit and the typical template, on one database."""
    folder = tmp_path_factory.mktemp("benchmarks")
    project = bake(folder / "project", "auth=no", "ci=none")
    with backends(project, fill(project, postgresql_server, ROWS), folder) as servers:
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
