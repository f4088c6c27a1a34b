"""The generated backend under concurrent and sustained load."""

import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from conftest import Bake
from postgresql import PostgreSQL
from serving import Clients, Server, at_once, database_settings, kept, migrate, private_memory, serving, wait_until
from web import Answer, ask, sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

Ask = Callable[..., Callable[[], Answer]]


@pytest.fixture(params=["postgresql", "sqlite"])
def server(request: pytest.FixtureRequest, bake: Bake, environment: Path, tmp_path: Path) -> Iterator[Server]:
    """Three workers, on each database."""
    project = bake(database=request.param)
    settings = {"WEB_CONCURRENCY": "3", "DATABASE_TIMEOUT": "30", **database_settings(request, project, environment)}
    with serving(project, environment, tmp_path, settings) as server:
        yield server
    assert "database is locked" not in server.log()
    assert "Traceback" not in server.log()


@pytest.fixture
def budgets(server: Server) -> Ask:
    """Prepare a request about budgets with an access token."""
    token = sign_in(server.url)

    def prepare(method: str, path: str = "", **body: str) -> Callable[[], Answer]:
        return partial(ask, method, f"{server.url}{path or '/v1/budgets'}", body or None, token)

    return prepare


@pytest.fixture
def budget(budgets: Ask) -> str:
    """The path of a budget with a limit of 10.00."""
    return budgets("POST", name="Food", limit="10.00")().headers["location"]


def outcomes(responses: list[Answer]) -> Counter[int | str]:
    """Count responses by status, and problems by type."""
    return Counter(response.body["type"] if response.status >= 400 else response.status for response in responses)


def test_of_a_hundred_concurrent_transactions_as_many_succeed_as_the_limit_allows(budgets: Ask, budget: str) -> None:
    spend = budgets("POST", f"{budget}/transactions", amount="1.00", description="Bread")
    assert outcomes(at_once([spend] * 100)) == {201: 10, "urn:problem:limit-exceeded": 90}
    summary = budgets("GET", f"{budget}/summary")().body
    assert summary == {"limit": "10.00", "spent": "10.00", "remaining": "0.00", "transactions": 10}


def test_of_forty_concurrent_budgets_of_one_name_one_is_created(budgets: Ask) -> None:
    take = budgets("POST", name="Food", limit="1.00")
    assert outcomes(at_once([take] * 40)) == {201: 1, "urn:problem:budget-name-taken": 39}
    assert budgets("GET")().body["total"] == 1


def test_concurrent_changes_of_different_fields_are_all_kept(budgets: Ask, budget: str) -> None:
    for number in range(1, 11):
        changes = [{"name": f"Food {number}"}, {"limit": f"{number}.00"}] * 4
        assert outcomes(at_once([budgets("PATCH", budget, **change) for change in changes])) == {200: 8}
        changed = budgets("GET", budget)().body
        assert (changed["name"], changed["limit"]) == (f"Food {number}", f"{number}.00")


def test_no_more_is_spent_than_the_limit_allows_while_the_limit_changes(budgets: Ask, budget: str) -> None:
    for number in range(1, 11):
        spend = budgets("POST", f"{budget}/transactions", amount="0.50", description="Bread")
        lower = budgets("PATCH", budget, limit=f"{number / 2 + 1:.2f}")
        summarize = budgets("GET", f"{budget}/summary")
        responses = at_once([spend, lower, summarize] * 8)
        assert {response.status for response in responses} <= {200, 201, 409}
        seen = [response.body for response in responses if "spent" in response.body] + [summarize().body]
        assert all(float(summary["spent"]) <= float(summary["limit"]) for summary in seen)
        assert all(float(summary["spent"]) == summary["transactions"] / 2 for summary in seen)


TIMEOUT = 2.0
POOL = 4
MINUTE = 60


def memory(server: Server) -> int:
    """The private memory of the only worker, in KiB."""
    [worker] = server.workers()
    return private_memory(worker)


def test_a_minute_with_more_clients_than_connections_leaks_nothing(
    bake: Bake, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    project = bake()
    url = migrate(project, environment, postgresql_server.create_database())
    settings = {"DATABASE_URL": url, "DATABASE_TIMEOUT": str(TIMEOUT), "DATABASE_POOL_SIZE": str(POOL)}
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with serving(project, environment, tmp_path, settings) as server:
        token = sign_in(server.url)
        with Clients(server.url, token, 64) as clients:
            clients.wait_for_more(500)
        before = memory(server)
        with Clients(server.url, token, 64) as clients:
            deadline = time.monotonic() + MINUTE
            while time.monotonic() < deadline:
                clients.wait_for_more()
                # A cancelled connection may still finish a commit.
                wait_until(
                    lambda: int(postgresql_server.query(f"SELECT count(*) {others}", url)) <= POOL,
                    "surplus connections are closed",
                )
        assert clients.broken == []
        assert {response.status for response, _ in clients.refusals} <= {503}
        assert clients.slowest < TIMEOUT + 2
        assert clients.acknowledged <= kept(server, token)
        assert postgresql_server.query(f"SELECT DISTINCT state {others}", url) == "idle"
        assert memory(server) < before * 1.2


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_half_open_connections_beyond_the_soft_limit_of_files_keep_others_out_no_more(
    bake: Bake, environment: Path, tmp_path: Path
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        try:
            server = stack.enter_context(serving(bake(database="sqlite"), environment, tmp_path, {}))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for _ in range(1100):
            stack.enter_context(connect(server)).sendall(b"GET /livez HTTP/1.1\r\nHost: ")
        assert {ask("GET", f"{server.url}/readyz").status for _ in range(10)} == {200}


def test_unfinished_bodies_take_little_memory(bake: Bake, environment: Path, tmp_path: Path) -> None:
    head = b"POST /v1/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with serving(bake(database="sqlite"), environment, tmp_path, {}) as server, ExitStack() as stack:
        workers, before = server.workers(), memory(server)
        for size in (100_000, 1_000_000):
            for _ in range(400):
                connection = stack.enter_context(connect(server))
                with suppress(ConnectionError):  # beyond the limit the server closes it
                    connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + b" " * size)
            assert ask("GET", f"{server.url}/livez").status == 200
        assert memory(server) - before < 128 * 1024
        assert server.workers() == workers


def test_of_many_registrations_at_once_some_are_refused_at_once(bake: Bake, environment: Path, tmp_path: Path) -> None:
    with serving(bake(database="sqlite"), environment, tmp_path, {}) as server:
        users = [{"email": f"{number}@example.com", "password": "seven green owls knit"} for number in range(60)]
        responses = at_once([partial(ask, "POST", f"{server.url}/v1/users", user) for user in users])
        assert {response.status for response in responses} == {201, 503}
        assert {response.headers.get("retry-after") for response in responses} == {None, "1"}
        assert "Traceback" not in server.log()
        sign_in(server.url)
