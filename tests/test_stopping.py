"""Stop and restart of the generated backend, without a failed request."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from conftest import Bake, Project
from postgresql import PostgreSQL
from serving import Clients, Server, image_command, migrate, replace_workers, serving, wait_until
from web import ask, free_port, sign_in, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]


SERVED = """
import asyncio
from pathlib import Path

from fastapi import BackgroundTasks

from api.main import app


async def complete() -> None:
    await asyncio.sleep(5)
    Path(__file__).with_name("completed").touch()


@app.get("/task")
async def begin_task(tasks: BackgroundTasks) -> str:
    tasks.add_task(complete)
    return "begun"
"""


@pytest.fixture
def project(bake: Bake) -> Project:
    return bake(database="sqlite")


def test_an_idle_server_stops_within_two_seconds(project: Project, environment: Path, tmp_path: Path) -> None:
    # Other processes may keep the machine busy: one of three is enough.
    assert any(stop(project, environment, tmp_path) < 2 for _ in range(3))


def stop(project: Project, environment: Path, folder: Path) -> float:
    """Start a server and stop it; return the seconds from SIGTERM to its exit."""
    with serving(project, environment, folder, {}) as server:
        began = time.monotonic()
        server.process.terminate()
        assert server.process.wait(10) == 0
        return time.monotonic() - began


def test_an_idle_connection_does_not_delay_the_stop_beyond_six_seconds(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    with serving(project, environment, tmp_path, {}) as server:
        client = HTTPConnection(server.url.removeprefix("http://"))
        client.request("GET", "/livez")
        client.getresponse().read()
        server.process.terminate()
        assert server.process.wait(6) == 0
        client.close()
        assert "Forcing close" not in server.log()


def test_an_idle_connection_does_not_delay_the_replacement_of_workers(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    with serving(project, environment, tmp_path, {}) as server:
        before = set(server.workers())
        client = HTTPConnection(server.url.removeprefix("http://"))
        client.request("GET", "/livez")
        client.getresponse().read()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(server.workers()), "the workers are replaced", seconds=6)
        client.close()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DRAIN_SECONDS", "5s"),
        ("DRAIN_SECONDS", "-1"),
        ("DRAIN_SECONDS", "nan"),
        ("DRAIN_SECONDS", "inf"),
        ("WEB_CONCURRENCY", "0"),
        ("WEB_CONCURRENCY", "two"),
        ("FORWARDED_ALLOW_IPS", "proxy"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line_that_names_it(
    project: Project, environment: Path, variable: str, value: str
) -> None:
    program, *arguments = image_command(project)
    done = project.run(environment / program, *arguments, env={variable: value})
    assert done.returncode == 1
    assert re.fullmatch(rf"The settings are not valid:\n{variable}[.0-9]*: .+\n", done.stderr)


def test_an_empty_setting_is_unset(project: Project, environment: Path, tmp_path: Path) -> None:
    with serving(project, environment, tmp_path, {"DRAIN_SECONDS": "", "WEB_CONCURRENCY": ""}) as server:
        server.process.terminate()
        wait_until(lambda: refuses(server), "connections are refused", seconds=3)
        assert server.process.wait(10) == 0


def test_on_sigterm_readiness_fails_first_and_requests_are_still_served(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    with serving(project, environment, tmp_path, {"DRAIN_SECONDS": "2"}) as server:
        assert ask("GET", f"{server.url}/readyz").status == 200
        server.process.terminate()
        wait_until(lambda: ask("GET", f"{server.url}/readyz").status == 503, "it is no longer ready")
        response = ask("GET", f"{server.url}/readyz")
        assert response.body["type"] == "urn:problem:stopping"
        assert response.headers["connection"] == "close"
        token = sign_in(server.url)
        assert ask("POST", f"{server.url}/v1/budgets", {"name": "Food", "limit": "1.00"}, token).status == 201
        assert server.process.wait(10) == 0


def test_a_log_that_is_not_read_stops_no_response_and_no_sigterm(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / f"{port}.log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)

    messages: list[str] = []

    def resize(size: int) -> None:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, size)

    def logs(text: str) -> bool:
        with suppress(BlockingIOError):
            messages.extend(json.loads(line)["message"] for line in os.read(reader, 1 << 20).splitlines())
        return any(text in message for message in messages)

    resize(4096)
    with serving(project, environment, tmp_path, {}, port) as server:

        def answers(count: int) -> bool:
            return all(ask("GET", f"{server.url}/nowhere").status == 404 for _ in range(count))

        assert answers(1100)
        assert logs("Starting gunicorn")
        resize(1 << 20)
        assert answers(1)
        wait_until(lambda: logs("lines of the log were dropped"), "the number of dropped lines is logged")
        assert len(messages) > 1000
        resize(4096)
        assert answers(30)
        server.process.terminate()
        assert server.process.wait(10) == 0
    os.close(reader)


def test_a_second_sigterm_shortens_no_drain(project: Project, environment: Path, tmp_path: Path) -> None:
    with serving(project, environment, tmp_path, {"DRAIN_SECONDS": "3"}) as server:
        began = time.monotonic()
        server.process.terminate()
        wait_until(lambda: ask("GET", f"{server.url}/readyz").status == 503, "it is no longer ready")
        server.process.terminate()
        wait_until(lambda: refuses(server), "connections are refused")
        assert time.monotonic() - began >= 3
        assert server.process.wait(10) == 0


def test_a_kept_connection_ends_with_a_response_while_the_server_drains(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    with serving(project, environment, tmp_path, {"DRAIN_SECONDS": "3"}) as server:
        client = HTTPConnection(server.url.removeprefix("http://"))
        client.request("GET", "/livez")
        first = client.getresponse()
        first.read()
        server.process.terminate()
        wait_until(lambda: ask("GET", f"{server.url}/readyz").status == 503, "it is no longer ready")
        client.request("GET", "/livez")
        last = client.getresponse()
        last.read()
        assert (first.will_close, last.will_close) == (False, True)
        assert server.process.wait(10) == 0
        client.close()


def test_on_sighup_the_workers_are_replaced_and_readiness_never_fails(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    with serving(project, environment, tmp_path, {"DRAIN_SECONDS": "5", "WEB_CONCURRENCY": "2"}) as server:
        before = set(server.workers())
        server.process.send_signal(signal.SIGHUP)
        statuses = set()

        def replaced() -> bool:
            statuses.add(ask("GET", f"{server.url}/readyz").status)
            return not before & set(server.workers())

        wait_until(replaced, "the workers are replaced", seconds=4)
        assert statuses == {200}


def test_while_workers_are_replaced_no_connection_breaks(
    bake: Bake, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    project = bake()
    url = migrate(project, environment, postgresql_server.create_database())
    with (
        serving(project, environment, tmp_path, {"DATABASE_URL": url}) as server,
        Clients(server.url, sign_in(server.url)) as clients,
    ):
        for _ in range(10):
            replace_workers(server)
            clients.wait_for_more()
    assert (clients.broken, clients.refusals) == ([], [])


def test_a_request_in_flight_is_completed(
    bake: Bake, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    project = bake()
    url = migrate(project, environment, postgresql_server.create_database())
    with serving(project, environment, tmp_path, {"DATABASE_URL": url, "DATABASE_TIMEOUT": "30"}) as server:
        token = sign_in(server.url)
        budget = ask("POST", f"{server.url}/v1/budgets", {"name": "Food", "limit": "1.00"}, token).headers["location"]
        with ThreadPoolExecutor() as pool:
            with postgresql_server.holding("SELECT FROM budgets FOR UPDATE", url):
                change = pool.submit(ask, "PATCH", f"{server.url}{budget}", {"name": "Bread"}, token)
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                wait_until(lambda: postgresql_server.query(waiting) == "1", "the request waits for a lock")
                server.process.terminate()
                wait_until(lambda: refuses(server), "connections are refused")
            response = change.result()
        assert (response.status, response.body["name"]) == (200, "Bread")
        assert server.process.wait(10) == 0


def refuses(server: Server) -> bool:
    try:
        ask("GET", f"{server.url}/livez")
    except OSError:
        return True
    return False


def test_a_background_task_is_completed_and_delays_no_request(
    project: Project, environment: Path, tmp_path: Path
) -> None:
    (tmp_path / "served.py").write_text(SERVED, encoding="utf-8")
    with serving(project, environment, tmp_path, {}, app="served:app") as server:
        client = HTTPConnection(server.url.removeprefix("http://"), timeout=2)
        for path in ("/task", "/livez"):
            client.request("GET", path)
            assert client.getresponse().read()
        server.process.terminate()
        assert server.process.wait(15) == 0
        assert (tmp_path / "completed").exists()
        client.close()


@contextmanager
def proxy(folder: Path, *servers: int) -> Iterator[str]:
    """HAProxy in front of servers on these ports; it checks the readiness of each five times a second."""
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        pytest.skip("haproxy is not installed")
    port = free_port()
    lines = "".join(f"  server {each} 127.0.0.1:{each} check inter 200ms fall 2 rise 2\n" for each in servers)
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        "defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n  timeout check 2s\n"
        f"frontend clients\n  bind 127.0.0.1:{port}\n  default_backend servers\n"
        f"backend servers\n  balance roundrobin\n  option httpchk GET /readyz\n  http-response set-header X-Server %s\n{lines}",
        encoding="ascii",
    )
    with subprocess.Popen([program, "-db", "-f", configuration], stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def test_a_rolling_restart_behind_a_proxy_fails_no_request(
    bake: Bake, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    project = bake()
    settings = {
        "DATABASE_URL": migrate(project, environment, postgresql_server.create_database()),
        "SECRET_KEY": "0123456789" * 4,
        "DRAIN_SECONDS": "2",
    }
    ports = (free_port(), free_port())
    with ExitStack() as stack:

        def start(port: int) -> Server:
            folder = tmp_path / str(port)
            folder.mkdir(exist_ok=True)
            return stack.enter_context(serving(project, environment, folder, settings, port))

        servers = [start(port) for port in ports]
        url = stack.enter_context(proxy(tmp_path, *ports))
        wait_until(lambda: found_behind(url) == set(ports), "the proxy has found both")
        with Clients(url, sign_in(url)) as clients:
            for port, server in zip(ports, servers, strict=True):
                clients.wait_for_more()
                server.process.terminate()
                assert server.process.wait(10) == 0
                assert found_behind(url) == {*ports} - {port}
                start(port)
                wait_until(lambda: found_behind(url) == set(ports), "the proxy has found it again")
            clients.wait_for_more()
    assert (clients.broken, clients.refusals) == ([], [])


def found_behind(url: str) -> set[int]:
    """The ports of the servers that a proxy sends requests to."""
    return {int(wait_for(f"{url}/livez").headers["x-server"]) for _ in range(4)}
