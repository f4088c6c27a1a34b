"""What `make bench` compares does the same work."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks.backends import IDS, PUBLISHED, ROUTES, generated, hand_written
from benchmarks.load import Cost, Server, measure, serve
from benchmarks.report import Result, goal_rows
from postgresql import PostgreSQL
from web import ask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc, and bound to processors"),
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL) -> Iterator[dict[str, Server]]:
    """The generated backend, the limit and the typical template, on one database."""
    backend = generated(folder := tmp_path_factory.mktemp("benchmarks"), postgresql_server, auth=False)
    backends = {"generated": backend, **{name: hand_written(name, backend, {}) for name in ("limit", "typical")}}
    with ExitStack() as stack:
        yield {name: stack.enter_context(serve(each, folder)) for name, each in backends.items()}


@pytest.mark.parametrize("path", ["/livez", f"/v1/budgets/{IDS[7]}", "/v1/budgets?limit=20", "/v1/budgets?offset=990"])
def test_all_return_the_same(servers: dict[str, Server], postgresql_server: PostgreSQL, path: str) -> None:
    backend = servers["generated"].backend
    postgresql_server.query(backend.rows, backend.database)
    responses = [ask("GET", f"{server.url}{path}") for server in servers.values()]
    assert {response.status for response in responses} == {200}
    assert all(response.body == responses[0].body for response in responses)


def test_all_create_the_same(servers: dict[str, Server]) -> None:
    for name, server in servers.items():
        created = ask("POST", f"{server.url}/v1/budgets", {"name": f"By {name}", "limit": "12.50"})
        assert created.status == 201
        for other in servers.values():
            assert ask("GET", f"{other.url}/v1/budgets/{created.body['id']}").body == created.body


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_each_route_is_measured(servers: dict[str, Server], postgresql_server: PostgreSQL) -> None:
    for server in servers.values():
        costs = [measure(server, postgresql_server, route, clients=2, seconds=1) for route in ROUTES]
        assert all(cost.rate > 0 and 0 < cost.p50 <= cost.p99 and cost.processor > 0 for cost in costs)


def test_a_missed_goal_is_marked() -> None:
    names = {"generated": 0.9, "generated, auth": 1.5} | dict.fromkeys(PUBLISHED, 1.0)
    costs = {(route, name): Cost(1, 1, 1, seconds) for route in ROUTES for name, seconds in names.items()}
    rows = list(goal_rows(Result(costs, costs, 12, 4, {}, 1, 1, "")))
    assert rows[0] == "| health, `generated` | ≤ 1.0 | 0.90 | 0.90 |"
    assert rows[2] == "| page of 20, `generated` | ≤ 0.6 | 0.90 ✗ | 0.90 ✗ |"
