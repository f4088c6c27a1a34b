"""Logs: one line an event, for machines in production and for people in development."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import literal, select

from api.dependencies.database import SessionDep
from api.dependencies.logs import configure_logging

Lines: TypeAlias = Callable[[], list[str]]
Serve: TypeAlias = Callable[..., TestClient]

router = APIRouter()


@router.get("/broken")
async def fail() -> None:
    message = "it broke"
    raise RuntimeError(message)


@router.get("/private")
async def use_a_secret(session: SessionDep) -> None:
    await session.execute(select(literal("hunter2")))


@pytest.fixture(autouse=True)
def usual_logging() -> Iterator[None]:
    """Log for the other tests as before."""
    yield
    configure_logging("INFO", as_json=False)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Lines:
    """What the application writes to stderr; the client, which is in the same process, is silent."""
    caplog.set_level(logging.WARNING, "httpx2")

    def read() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return read


def test_production_writes_one_json_line_a_request(serve: Serve, lines: Lines) -> None:
    answer = serve(environment="production").get("/livez")
    (event,) = map(json.loads, lines())
    assert (event["method"], event["path"], event["status"]) == ("GET", "/livez", 200)
    assert event["request_id"] == answer.headers["X-Request-ID"]
    assert event["level"] == "INFO"
    assert event["time"].endswith("+00:00")
    assert event["duration_ms"] >= 0


def test_development_writes_one_readable_line_a_request(serve: Serve, lines: Lines) -> None:
    answer = serve().get("/nowhere")
    (line,) = lines()
    for part in ("INFO", "method=GET", "path=/nowhere", "status=404", f"request_id={answer.headers['X-Request-ID']}"):
        assert part in line


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_line_break_in_a_path_forges_no_line(serve: Serve, lines: Lines, environment: str) -> None:
    serve(environment=environment).get('/nowhere%0D%0A{"forged":1}%E2%80%A8forged')
    (line,) = lines()
    assert '{"forged"' not in line


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_line_break_in_a_message_forges_no_line(serve: Serve, lines: Lines, environment: str) -> None:
    serve(environment=environment)
    logging.getLogger("api").warning("told: %s", "well\r\n\u2028forged\x1b[2J\x9b0m")
    (line,) = lines()
    assert "forged" in line
    assert line.isprintable()


@pytest.mark.parametrize("environment", ["development", "production"])
def test_no_secret_is_logged_at_any_level(serve: Serve, lines: Lines, environment: str) -> None:
    client = serve(router, environment=environment, log_level="DEBUG")
    headers = {"Authorization": "Bearer hunter2", "Cookie": "session=hunter2"}
    assert client.get("/private?token=hunter2", headers=headers).status_code == 200
    written = lines()
    assert any("/private" in line for line in written)
    assert not any("hunter2" in line for line in written)


def test_the_level_silences_what_lies_below_it(serve: Serve, lines: Lines) -> None:
    serve(log_level="WARNING").get("/livez")
    assert lines() == []


def test_a_failure_leaves_a_traceback_under_the_id_of_its_request(serve: Serve, lines: Lines) -> None:
    answer = serve(router, environment="production").get("/broken")
    failure, request = map(json.loads, lines())
    assert failure["level"] == "ERROR"
    assert "RuntimeError: it broke" in failure["traceback"]
    assert request["status"] == answer.status_code == 500
    assert failure["request_id"] == request["request_id"] == answer.headers["X-Request-ID"]
