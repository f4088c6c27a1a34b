"""What the generated backend keeps and answers while its database, its workers or itself are stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest

from conftest import Bake, Project
from postgresql import PostgreSQL
from serving import Clients, Server, at_once, database_settings, kept, migrate, replace_workers, serving, wait_until
from web import Answer, ask, sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

TIMEOUT = 2.0
"""Seconds that a request waits for the database in these tests."""

PROMPT = 3.0
"""Seconds more that an answer may take on a busy machine."""


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSQL]:
    """A server that is this test's alone."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def project(bake: Bake) -> Project:
    return bake()


@pytest.fixture
def server(project: Project, environment: Path, own_postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Server]:
    """Two workers on a PostgreSQL server that may be stopped."""
    url = migrate(project, environment, own_postgresql.create_database())
    settings = {"DATABASE_URL": url, "DATABASE_TIMEOUT": str(TIMEOUT), "WEB_CONCURRENCY": "2"}
    with serving(project, environment, tmp_path, settings) as server:
        yield server


def assert_outage(answer: Answer, seconds: float) -> None:
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.body["type"] == "urn:problem:database-unavailable"
    assert seconds < TIMEOUT + PROMPT


def timed(method: str, url: str, body: object = None, token: str = "") -> tuple[Answer, float]:
    began = time.monotonic()
    answer = ask(method, url, body, token)
    return answer, time.monotonic() - began


def stop(database: PostgreSQL) -> None:
    database.stop()


def kill(database: PostgreSQL) -> None:
    database.signal(signal.SIGKILL)


def freeze(database: PostgreSQL) -> None:
    database.signal(signal.SIGSTOP)


def thaw(database: PostgreSQL) -> None:
    database.signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("away", "back"),
    [(stop, PostgreSQL.start), (kill, PostgreSQL.start), (freeze, thaw)],
    ids=["stopped", "killed", "frozen"],
)
def test_no_acknowledged_write_is_lost_with_the_database_and_service_comes_back_by_itself(
    server: Server,
    own_postgresql: PostgreSQL,
    away: Callable[[PostgreSQL], None],
    back: Callable[[PostgreSQL], None],
) -> None:
    token = sign_in(server.url)
    with Clients(server.url, token) as clients:
        clients.wait_for_more()
        away(own_postgresql)
        wait_until(lambda: len(clients.refusals) >= 20, "writes are refused")
        assert_outage(*timed("GET", f"{server.url}/readyz"))
        assert_outage(*timed("GET", f"{server.url}/v1/budgets", token=token))
        alive, seconds = timed("GET", f"{server.url}/livez")
        assert (alive.status, seconds < TIMEOUT / 2) == (200, True)
        back(own_postgresql)
        clients.wait_for_more()
    for answer, seconds in clients.refusals:
        assert_outage(answer, seconds)
    assert clients.broken == []
    assert clients.acknowledged <= kept(server, token)
    assert ask("GET", f"{server.url}/readyz").status == 200
    assert "Traceback" not in server.log()


def test_no_request_meets_a_connection_that_ended_with_the_database(server: Server, own_postgresql: PostgreSQL) -> None:
    token, budgets = sign_in(server.url), f"{server.url}/v1/budgets"

    def write(*numbers: int) -> set[int]:
        asked = [partial(ask, "POST", budgets, {"name": str(number), "limit": "1.00"}, token) for number in numbers]
        return {answer.status for answer in at_once(asked)}

    assert write(*range(20)) == {201}
    own_postgresql.stop()
    own_postgresql.start()
    assert write(*range(20, 40)) == {201}


def test_a_host_that_swallows_everything_is_an_outage(project: Project, environment: Path, tmp_path: Path) -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # the queue is full: a new connection gets no response
        url = f"postgresql://user@127.0.0.1:{full.getsockname()[1]}/app"
        with serving(project, environment, tmp_path, {"DATABASE_URL": url, "DATABASE_TIMEOUT": str(TIMEOUT)}) as server:
            answer, seconds = timed("GET", f"{server.url}/readyz")
            assert_outage(answer, seconds)
            assert seconds > TIMEOUT / 2
            assert ask("GET", f"{server.url}/livez").status == 200


def test_the_server_stops_in_time_while_the_database_is_silent(server: Server, own_postgresql: PostgreSQL) -> None:
    token = sign_in(server.url)
    read = partial(ask, "GET", f"{server.url}/v1/budgets", None, token)
    assert {response.status for response in at_once([read] * 40)} == {200}
    freeze(own_postgresql)
    server.process.terminate()
    try:
        assert server.process.wait(10) == 0
    finally:
        thaw(own_postgresql)


def test_statements_of_clients_that_left_end_in_time(
    project: Project, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    url = migrate(project, environment, postgresql_server.create_database())
    running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with serving(project, environment, tmp_path, {"DATABASE_URL": url, "DATABASE_TIMEOUT": str(TIMEOUT)}) as server:
        token = sign_in(server.url)
        budget = ask("POST", f"{server.url}/v1/budgets", {"name": "Food", "limit": "1.00"}, token).headers["location"]
        with postgresql_server.holding("SELECT FROM budgets FOR UPDATE", url):
            host = server.url.removeprefix("http://")
            clients = [HTTPConnection(host) for _ in range(16)]
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            for client in clients:
                client.request("PATCH", budget, '{"name": "Bread"}', headers)
            wait_until(lambda: postgresql_server.query(running) == "16", "all wait for the lock")
            for client in clients:
                client.close()
            wait_until(lambda: postgresql_server.query(running) == "0", "no statement runs", 2 * TIMEOUT)


def kill_worker(server: Server) -> None:
    os.kill(server.workers()[0], signal.SIGKILL)


@pytest.fixture(params=["postgresql", "sqlite"])
def serve_again(
    request: pytest.FixtureRequest, bake: Bake, environment: Path, tmp_path: Path
) -> Callable[[], AbstractContextManager[Server]]:
    """Serve with two workers, on either database, which outlives the server."""
    project = bake(database=request.param)
    settings = {
        "SECRET_KEY": "0123456789" * 4,
        "WEB_CONCURRENCY": "2",
        **database_settings(request, project, environment),
    }
    return partial(serving, project, environment, tmp_path, settings)


@pytest.mark.parametrize("happen", [kill_worker, replace_workers])
def test_no_acknowledged_write_is_lost_with_a_worker(
    serve_again: Callable[[], AbstractContextManager[Server]], happen: Callable[[Server], None]
) -> None:
    with serve_again() as server:
        token = sign_in(server.url)
        with Clients(server.url, token) as clients:
            for _ in range(3):
                clients.wait_for_more()
                happen(server)
            clients.wait_for_more()
        assert clients.refusals == []
        assert clients.acknowledged <= kept(server, token)


def test_no_acknowledged_write_is_lost_with_the_server(
    serve_again: Callable[[], AbstractContextManager[Server]],
) -> None:
    with serve_again() as server:
        token = sign_in(server.url)
        with Clients(server.url, token) as clients:
            clients.wait_for_more()
            server.process.terminate()
            assert server.process.wait(10) == 0
        assert clients.refusals == []
    with serve_again() as again:
        assert clients.acknowledged <= kept(again, token)


def test_a_commit_that_fails_is_never_answered_with_success_on_postgresql(
    project: Project, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    url = migrate(project, environment, postgresql_server.create_database())
    postgresql_server.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON budgets DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (NEW.name = 'Bad') EXECUTE FUNCTION refuse()",
        url,
    )
    with serving(project, environment, tmp_path, {"DATABASE_URL": url}) as server:
        token = sign_in(server.url)
        for name, expected in (("Bad", False), ("Good", True), ("Bad", False)):
            answer = ask("POST", f"{server.url}/v1/budgets", {"name": name, "limit": "1.00"}, token)
            assert (answer.status == 201) == expected
            assert answer.headers["content-type"] == ("application/json" if expected else "application/problem+json")
        assert len(kept(server, token)) == 1


def limit_files(process: int, size: str) -> None:
    """Let no file of a process grow beyond a size in bytes."""
    subprocess.run(["prlimit", f"--pid={process}", f"--fsize={size}:"], check=True)


def test_what_a_full_disk_refuses_is_never_answered_with_success_on_sqlite(
    bake: Bake, environment: Path, tmp_path: Path
) -> None:
    with serving(bake(database="sqlite"), environment, tmp_path, {}) as server:
        token = sign_in(server.url)
        [worker] = server.workers()
        with Clients(server.url, token) as clients:
            clients.wait_for_more()
            largest = max(path.stat().st_size for path in tmp_path.glob("app.db*"))
            limit_files(worker, str(largest + 65536))
            wait_until(lambda: len(clients.refusals) >= 20, "writes are refused")
            limit_files(worker, "unlimited")
            clients.wait_for_more()
        assert {answer.status for answer, _ in clients.refusals} == {503}
        assert clients.acknowledged == kept(server, token)


def test_a_request_that_waits_for_a_lock_is_cancelled_in_time_and_gives_its_connection_back(
    project: Project, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    url = migrate(project, environment, postgresql_server.create_database())
    settings = {"DATABASE_URL": url, "DATABASE_TIMEOUT": str(TIMEOUT), "DATABASE_POOL_SIZE": "5"}
    with serving(project, environment, tmp_path, settings) as server:
        token = sign_in(server.url)
        budget = ask("POST", f"{server.url}/v1/budgets", {"name": "Food", "limit": "1.00"}, token).headers["location"]
        with postgresql_server.holding("SELECT FROM budgets FOR UPDATE", url):
            change = partial(timed, "PATCH", f"{server.url}{budget}", {"name": "Bread"}, token)
            for answer, seconds in at_once([change] * 10):
                assert_outage(answer, seconds)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            assert postgresql_server.query(waiting) == "0"
            assert ask("GET", f"{server.url}{budget}", token=token).status == 200
        assert {answer.status for answer, _ in at_once([change] * 10)} == {200}
