"""Real HTTP: a free port, a request, its answer."""

import json
import socket
import time
from http.client import HTTPResponse
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(method: str, url: str, body: object = None, token: str = "") -> Answer:
    """Send one request over real HTTP, in the name of a user where there is a token."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = Request(url, data, headers, method=method)  # noqa: S310 - the URL is of a test server
    try:
        response = urlopen(request, timeout=10)  # noqa: S310 - the URL is of a test server
    except HTTPError as error:
        response = error
    with response:
        return read(response)


def read(response: HTTPResponse | HTTPError) -> Answer:
    """Take an answer to its end."""
    text = response.read()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status or 0, headers, json.loads(text) if text else {})


def wait_for(url: str, seconds: float = 20, pause: float = 0.1) -> Answer:
    """Ask until a server answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask("GET", url)
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(pause)


def sign_in(server: str) -> str:
    """Register a user, log in, and give the access token."""
    credentials = {"email": "ada@example.com", "password": "a password of a few words"}
    assert ask("POST", f"{server}/v1/users", credentials).status == 201
    form = urlencode({"username": credentials["email"], "password": credentials["password"]}).encode()
    with urlopen(f"{server}/v1/auth/token", form, timeout=10) as response:  # noqa: S310 - the URL is of a test server
        token: str = json.load(response)["access_token"]
    return token
