"""Malformed and hostile requests over TCP to gunicorn, started as in the image: each has a defined response."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import Bake
from serving import Server, migrate, serving
from web import Answer, ask, sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows"),
]

MAX_BODY_BYTES = 128 * 1024
BODY_TIMEOUT = 20
GET = b"GET /livez HTTP/1.1\r\n"
HEAD = b"Host: localhost\r\nConnection: close\r\n"
POST = b"POST /v1/users HTTP/1.1\r\nContent-Type: application/json\r\n" + HEAD


MALFORMED_HTTP = {
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "a list of lengths": (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "a signed length": (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    "a length and chunks": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n",
        400,
    ),
    "chunks in disguise": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "a chunk of no size": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "a chunk of negative size": (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
    "two hosts": (GET + b"Host: elsewhere\r\n" + HEAD + b"\r\n", 400),
    "a space before the colon": (GET + b"Host : localhost\r\n\r\n", 400),
    "a folded header": (GET + HEAD + b"X-Folded: a\r\n b\r\n\r\n", 400),
    "NUL in a header": (GET + HEAD + b"X-Nul: a\0b\r\n\r\n", 400),
    "bare line feeds": (b"GET /livez HTTP/1.1\nHost: localhost\n\n", 400),
    "a huge header": (GET + HEAD + b"X-Huge: " + b"x" * 10_000 + b"\r\n\r\n", 431),
    "many headers": (GET + HEAD + b"X-Many: x\r\n" * 200 + b"\r\n", 431),
    "a huge path": (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
    "a path of raw bytes": (b"GET /\xff HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
    "a method in lower case": (b"get /livez HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
    "an escape in the method": (b"G\x1b[2JT /livez HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
    "no version": (b"GET /livez\r\n\r\n", 400),
    "another version": (b"GET /livez HTTP/3.0\r\n" + HEAD + b"\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "noise": (b"\xff\xfe\0\x16" * 99 + b"\r\n\r\n", 400),
}
"""Requests that the server itself refuses, and the status of its response."""

INVALID_BODIES = {
    "nothing": (b"", 422),
    "deep arrays": (b"[" * 100_000, 400),
    "deep objects": (b'{"email":' * 10_000, 400),
    "unknown fields": (b"{" + b",".join(b'"%d":0' % number for number in range(10_000)) + b"}", 422),
    "invalid UTF-8": (b'{"email": "\xff\xed\xa0\x80"}', 400),
    "a lone surrogate": (b'{"email": "ada@example.com", "password": "\\ud800 and eleven more"}', 422),
    "NUL in an address": (b'{"email": "nul\\u0000@example.com", "password": "a password of words"}', 422),
    "a number of many digits": (b'{"email": ' + b"9" * 5000 + b"}", 400),
    "no number": (b'{"email": NaN, "password": -Infinity}', 422),
    "an endless exponent": (b'{"email": 1e999999, "password": 1e-999999}', 422),
    "a repeated key": (b'{"email": "ada@example.com", "password": "a password of words", "password": ""}', 422),
    "an array": (b"[]", 422),
    "a byte order mark": (b"\xef\xbb\xbf\xef\xbb\xbf{}", 422),
    "something else": (b"<xml/>", 422),
}
"""Bodies that are no new user, and the status of the response."""

INVALID_AMOUNTS = (
    *(b"NaN", b"Infinity", b"1e400", b"12.5", b"9" * 4000, b'"NaN"', b'"1e3"', b'"-1.00"', b'"0.00"', b'"1.001"'),
    *(
        b'"1000000000000"',
        b'"' + b"9" * 5000 + b'"',
        b'"12\\n"',
        b'"\xd9\xa1"',
        b'"\\u0000"',
        b'"\\ud800"',
        b"null",
        b"{}",
    ),
)
INVALID_NAMES = (b'""', b'"\\u0000"', b'"\\ud800"', b'"\\u2028"', b'"a\\u001b[31m"', b'"' + b"x" * 81 + b'"', b"1")

INVALID_FORMS = {
    "NUL in an address": (b"username=nul%00@example.com&password=x", 422),
    "a long password": (b"username=ada@example.com&password=" + b"x" * 10_000, 422),
    "many fields": (b"username=ada@example.com&" * 5_000, 400),
    "invalid UTF-8": (b"username=%ff%ed%a0%80@example.com&password=x", 401),
    "another grant": (b"grant_type=implicit&username=ada@example.com&password=x", 422),
    "broken escapes": (b"username=%zz&password=%", 422),
    "JSON": (b'{"username": "ada@example.com", "password": "x"}', 422),
}

INVALID_TARGETS = {
    "nowhere": (b"GET /%2e%2e/%2e%2e/etc/passwd", 404),
    "another site": (b"GET http://elsewhere/livez", 404),
    "a tunnel": (b"CONNECT elsewhere:443", 404),
    "all": (b"OPTIONS *", 404),
    "an unknown method": (b"BREW /livez", 405),
    "a method that echoes": (b"TRACE /livez", 405),
    "broken escapes": (b"GET /v1/budgets/%zz%", 422),
    "NUL": (b"GET /v1/budgets/%00", 422),
    "invalid UTF-8": (b"GET /v1/budgets/%ff%ed%a0%80", 422),
    "an offset beyond 64 bits": (b"GET /v1/budgets?offset=9223372036854775808", 422),
    "an offset of many digits": (b"GET /v1/budgets?offset=" + b"9" * 3000, 422),
    "an odd limit": (b"GET /v1/budgets?limit=%F0%9F%98%80&limit=%00", 422),
}


class Wire(NamedTuple):
    """A server, reached over TCP, and the access token of one of its users."""

    server: Server
    token: bytes

    def events(self) -> list[dict[str, Any]]:
        """Read the log: one JSON object a line."""
        return [json.loads(line) for line in self.server.log().splitlines()]

    def connect(self, seconds: float) -> socket.socket:
        """Open a connection with a time-out in seconds."""
        host, port = self.server.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=seconds)

    def talk(self, *parts: bytes, seconds: float = 10) -> bytes:
        """Send bytes, and read until the server closes the connection."""
        with self.connect(seconds) as connection:
            for part in parts:
                connection.sendall(part)
            return receive_all(connection)

    def post(self, path: str, body: bytes, media: str = "application/json") -> Answer:
        """Send raw bytes as a body, with the access token."""
        head = f"POST {path} HTTP/1.1\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n".encode()
        return parse(self.talk(head + HEAD + b"Authorization: Bearer " + self.token + b"\r\n\r\n" + body))


def receive_all(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def parse(response: bytes) -> Answer:
    """Parse one response, which must be all there is."""
    head, _, body = response.partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    headers = {name.lower(): value for name, value in message_from_bytes(fields).items()}
    assert len(body) == int(headers["content-length"])
    is_json = headers["content-type"].endswith("json")
    return Answer(int(line.split()[1]), headers, json.loads(body) if is_json else body)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def is_problem(response: Answer, status: int) -> None:
    assert (response.status, response.body["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == response.body["request_id"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def started(
    request: pytest.FixtureRequest, bake: Bake, environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wire]:
    """The default project in production, served as in its image."""
    folder = tmp_path_factory.mktemp("wire")
    url = f"sqlite:///{folder / 'app.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_server").create_database()
    project = bake()
    settings = {"DATABASE_URL": migrate(project, environment, url)}
    with serving(project, environment, folder, settings) as server:
        yield Wire(server, sign_in(server.url).encode())


@pytest.fixture
def wire(started: Wire) -> Iterator[Wire]:
    """A server whose log must hold no traceback and no 5xx status after the test."""
    yield started
    failed = [event for event in started.events() if "traceback" in event or event.get("status", 0) >= 500]
    assert failed == []


@pytest.mark.parametrize("name", MALFORMED_HTTP)
def test_malformed_http_gets_one_response_and_the_connection_is_closed(wire: Wire, name: str) -> None:
    bytes_, status = MALFORMED_HTTP[name]
    assert parse(wire.talk(bytes_)).status == status


@pytest.mark.parametrize("name", INVALID_BODIES)
def test_an_invalid_body_is_a_problem(wire: Wire, name: str) -> None:
    body, status = INVALID_BODIES[name]
    is_problem(wire.post("/v1/users", body), status)


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/json; charset=utf-16", "nonsense", ""])
def test_a_body_of_another_media_type_is_a_problem(wire: Wire, media: str) -> None:
    is_problem(wire.post("/v1/users", "{}".encode("utf-16"), media), 422)


@pytest.mark.parametrize("amount", INVALID_AMOUNTS)
def test_an_invalid_amount_is_a_problem(wire: Wire, amount: bytes) -> None:
    is_problem(wire.post("/v1/budgets", b'{"name": "Food", "limit": ' + amount + b"}"), 422)


@pytest.mark.parametrize("name", INVALID_NAMES)
def test_an_invalid_name_is_a_problem(wire: Wire, name: bytes) -> None:
    is_problem(wire.post("/v1/budgets", b'{"limit": "1.00", "name": ' + name + b"}"), 422)


@pytest.mark.parametrize("name", INVALID_FORMS)
def test_an_invalid_login_is_a_problem(wire: Wire, name: str) -> None:
    form, status = INVALID_FORMS[name]
    is_problem(wire.post("/v1/auth/token", form, "application/x-www-form-urlencoded"), status)


@pytest.mark.parametrize("name", INVALID_TARGETS)
def test_an_invalid_target_is_a_problem(wire: Wire, name: str) -> None:
    target, status = INVALID_TARGETS[name]
    authorization = b"Authorization: Bearer " + wire.token
    is_problem(parse(wire.talk(target + b" HTTP/1.1\r\n" + HEAD + authorization + b"\r\n\r\n")), status)


@pytest.mark.parametrize(
    "parts",
    [
        (b"Content-Length: 999999999999\r\n\r\n",),
        (b"Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n",),
        (b"Transfer-Encoding: chunked\r\n\r\n", chunk(b" " * MAX_BODY_BYTES), chunk(b" ")),
    ],
    ids=["announced", "asked for", "in chunks"],
)
def test_a_body_beyond_the_limit_is_refused_before_it_is_read(wire: Wire, parts: tuple[bytes, ...]) -> None:
    is_problem(parse(wire.talk(POST, *parts)), 413)


@pytest.mark.parametrize("started", ["sqlite"], indirect=True)
def test_slow_requests_end_and_do_not_delay_others(wire: Wire) -> None:
    with ExitStack() as stack:
        begun = [GET, GET + b"Host: ", POST + b"Content-Length: 9\r\n\r\n{", POST + b"Transfer-Encoding: chunked\r\n"]
        slow = [stack.enter_context(wire.connect(2 * BODY_TIMEOUT)) for _ in range(200)]
        for number, connection in enumerate(slow):
            connection.sendall(begun[number % len(begun)])
        for _ in range(10):
            assert ask("GET", f"{wire.server.url}/readyz").status == 200
        is_problem(parse(receive_all(slow[2])), 408)


def test_a_request_puts_no_line_break_and_no_escape_sequence_into_the_log(wire: Wire) -> None:
    target = b'GET /%0a%1b[2J{"forged":1}%e2%80%a8 HTTP/1.1\r\nX-Request-ID: \x9b2Jforged\r\n'
    is_problem(parse(wire.talk(target + HEAD + b"\r\n")), 404)
    [event] = [event for event in wire.events() if "forged" in event.get("path", "")]
    assert event["path"] == "/%0A%1B%5B2J%7B%22forged%22%3A1%7D%E2%80%A8"
    assert wire.server.log().replace("\n", "").isprintable()


def test_in_production_responses_are_for_the_same_origin_and_without_documentation(wire: Wire) -> None:
    response = parse(wire.talk(GET + HEAD + b"Origin: https://elsewhere.example\r\n\r\n"))
    assert response.headers["strict-transport-security"] == "max-age=31536000"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in response.headers
    assert parse(wire.talk(b"GET /docs HTTP/1.1\r\n" + HEAD + b"\r\n")).status == 404
