"""Routes that depend on the server, under gunicorn as in the image and under uvicorn as in development."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Bake
from serving import Server, migrate, serving, wait_until
from web import ask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows"),
]

SERVED = """
from collections.abc import AsyncIterator

from fastapi import BackgroundTasks, Depends, WebSocket
from fastapi.responses import StreamingResponse

from api.main import app


async def fail() -> None:
    raise RuntimeError("it broke")


async def fail_at_the_end() -> AsyncIterator[None]:
    yield
    await fail()


async def fail_in_the_middle() -> AsyncIterator[bytes]:
    yield b"half"
    await fail()


@app.get("/background")
async def background(background_tasks: BackgroundTasks) -> None:
    background_tasks.add_task(fail)


@app.get("/teardown", dependencies=[Depends(fail_at_the_end)])
async def teardown() -> None:
    pass


@app.get("/stream")
async def stream() -> StreamingResponse:
    return StreamingResponse(fail_in_the_middle())


@app.get("/items/{item_id}")
async def read_item(item_id: int) -> int:
    return item_id


@app.websocket("/failing")
async def fail_in_a_websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    await fail()


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
"""

REQUEST = "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {id}\r\n\r\n"

HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MASKED_TEXT = b"\x81\x82\0\0\0\0hi"
TEXT = b"\x81\x02hi"
"""Text frames of a client and of a server: RFC 6455, section 5.2."""


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def server(
    request: pytest.FixtureRequest, bake: Bake, environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The default project with the routes of `SERVED`, under each server."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "served.py").write_text(SERVED, encoding="utf-8")
    project = bake()
    settings = {"DATABASE_URL": migrate(project, environment, f"sqlite:///{folder / 'app.db'}")}
    in_development = request.param == "uvicorn"
    with serving(project, environment, folder, settings, app="served:app", in_development=in_development) as server:
        yield server


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def send_two(server: Server, method: str, path: str) -> bytes:
    """Send a request, and `GET /livez` on the same connection; return all that is received."""
    first = REQUEST.format(method=method, path=path, id=f"{method}{path.replace('/', '-')}")
    second = REQUEST.format(method="GET", path="/livez", id="second").replace(
        "\r\n\r\n", "\r\nConnection: close\r\n\r\n"
    )
    with connect(server) as connection, connection.makefile("rb") as received:
        connection.sendall(f"{first}{second}".encode())
        return received.read()


def complaints(server: Server, request_id: str) -> list[dict[str, Any]]:
    """Return the warnings and errors that are logged for a request."""
    events = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    return [event for event in events if event["request_id"] == request_id and event["level"] not in {"DEBUG", "INFO"}]


def assert_logged_once(server: Server, request_id: str) -> None:
    wait_until(lambda: complaints(server, request_id) != [], f"{request_id} is logged")
    ask("GET", f"{server.url}/livez")  # what the server does on its part is done now
    [failure] = complaints(server, request_id)
    assert failure["level"] == "ERROR"
    assert "RuntimeError: it broke" in failure["traceback"]


def test_a_websocket_is_served(server: Server) -> None:
    with connect(server) as connection, connection.makefile("rb") as received:
        connection.sendall(HANDSHAKE)
        assert b" 101 " in received.readline()
        while received.readline() != b"\r\n":
            pass
        connection.sendall(MASKED_TEXT)
        assert received.read(len(TEXT)) == TEXT


@pytest.mark.parametrize("path", ["/background", "/teardown"])
def test_what_fails_after_the_response_is_logged_once_with_its_traceback(server: Server, path: str) -> None:
    assert send_two(server, "GET", path).count(b"HTTP/1.1 200 OK") == 2
    assert_logged_once(server, f"GET-{path[1:]}")


def test_a_response_that_breaks_off_is_logged_once_and_its_connection_is_closed(server: Server) -> None:
    received = send_two(server, "GET", "/stream")
    assert received.count(b"HTTP/1.1 200 OK") == 1
    assert b"half" in received
    assert not received.endswith(b"0\r\n\r\n")
    assert_logged_once(server, "GET-stream")


def test_a_websocket_that_fails_is_logged_once_with_its_traceback(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(
            HANDSHAKE.replace(b"/echo", b"/failing").replace(b"\r\n\r\n", b"\r\nX-Request-ID: ws\r\n\r\n")
        )
        while connection.recv(1024):
            pass
    assert_logged_once(server, "ws")


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/items/1", "/items/one", "/nowhere", "/v1/budgets"])
def test_head_is_served_as_get_without_the_body(server: Server, path: str) -> None:
    got, _, _ = send_two(server, "GET", path).partition(b"\r\n\r\n")
    head, _, rest = send_two(server, "HEAD", path).partition(b"\r\n\r\n")
    names = [{line.split(b": ")[0] for line in lines.split(b"\r\n")} for lines in (got, head)]
    assert names[0] == names[1]
    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert complaints(server, "HEAD" + path.replace("/", "-")) == []
