"""Routes that depend on the server, under gunicorn as in the image and under uvicorn as in development."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from conftest import Bake
from serving import Server, migrate, serving, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows"),
]

SERVED = """
from collections.abc import AsyncIterator, Iterator

from fastapi import BackgroundTasks, Depends, WebSocket
from fastapi.responses import StreamingResponse

from api.main import app


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())


def fail() -> None:
    raise RuntimeError("it broke")


@app.get("/background")
async def run_in_background(tasks: BackgroundTasks) -> None:
    tasks.add_task(fail)


async def resource() -> AsyncIterator[None]:
    yield
    fail()


@app.get("/teardown", dependencies=[Depends(resource)])
async def use_resource() -> None:
    pass


@app.get("/stream")
async def stream() -> StreamingResponse:
    def parts() -> Iterator[str]:
        yield "part"
        fail()

    return StreamingResponse(parts())
"""

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


def test_a_websocket_is_served(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection, connection.makefile("rb") as received:
        connection.sendall(HANDSHAKE)
        assert b" 101 " in received.readline()
        while received.readline() != b"\r\n":
            pass
        connection.sendall(MASKED_TEXT)
        assert received.read(len(TEXT)) == TEXT


@pytest.mark.parametrize("path", ["/background", "/teardown", "/stream"])
def test_an_exception_after_the_response_has_begun_is_logged_once_with_its_request_id(
    server: Server, path: str
) -> None:
    request_id = path.strip("/")
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request("GET", path, headers={"X-Request-ID": request_id})
    with suppress(IncompleteRead), connection.getresponse() as response:
        response.read()
    connection.close()

    def errors() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["request_id"] == request_id and line["level"] == "ERROR"]

    wait_until(lambda: bool(errors()), "the exception is logged")
    time.sleep(0.5)
    [error] = errors()
    assert "RuntimeError: it broke" in error["traceback"]
