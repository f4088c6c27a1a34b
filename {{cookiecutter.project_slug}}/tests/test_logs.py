"""Logs: one line for each event, JSON in production and plain text in development."""

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import TypeAlias
from unittest.mock import AsyncMock

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends
from fastapi.testclient import TestClient
from sqlalchemy import literal, select

from api.dependencies.database import SessionDep
from api.dependencies.logs import configure_logging
from api.schemas.base import ResponseBody
from api.services.errors import StoppingError
from api.services.health import HealthService

Lines: TypeAlias = Callable[[], list[str]]
Serve: TypeAlias = Callable[..., TestClient]

router = APIRouter()


@router.get("/broken")
async def fail() -> None:
    message = "it broke"
    raise RuntimeError(message)


@router.get("/parcels/{parcel_id}")
async def get_parcel(parcel_id: int) -> int:
    return parcel_id


@router.get("/background")
async def fail_after_the_response(background_tasks: BackgroundTasks) -> None:
    background_tasks.add_task(fail)


async def fail_at_the_end() -> AsyncIterator[None]:
    yield
    await fail()


@router.get("/teardown", dependencies=[Depends(fail_at_the_end)])
async def fail_in_the_teardown_of_a_dependency() -> None:
    """Respond."""


ROW = {"parcel_id": 1, "sender": "hunter2"}


class Parcel(ResponseBody):
    """A response body."""

    parcel_id: int
    weight: int


@router.get("/incomplete", response_model=Parcel)
async def respond_without_a_column() -> dict[str, object]:
    return ROW


@router.get("/invalid")
async def validate_a_row() -> None:
    Parcel.model_validate(ROW)


@router.get("/private")
async def use_a_secret(session: SessionDep) -> None:
    await session.execute(select(literal("hunter2")))


@pytest.fixture(autouse=True)
def default_logging() -> Iterator[None]:
    """Restore the default configuration for the other tests."""
    yield
    configure_logging("INFO", as_json=False)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Lines:
    """Read what the application writes to stderr; the client runs in the same process and is silenced."""
    caplog.set_level(logging.WARNING, "httpx2")

    def read() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return read


def test_in_production_a_request_is_one_json_line(serve: Serve, lines: Lines) -> None:
    response = serve(environment="production").get("/")
    (event,) = map(json.loads, lines())
    assert (event["method"], event["path"], event["status"]) == ("GET", "/", 200)
    assert event["request_id"] == response.headers["X-Request-ID"]
    assert event["level"] == "INFO"
    assert event["time"].endswith("+00:00")
    assert event["duration_ms"] >= 0
    assert event["client"] == "testclient"


def test_the_line_of_a_request_holds_its_route(serve: Serve, lines: Lines) -> None:
    client = serve(router, environment="production")
    for path in ("/parcels/1", "/parcels/one", "/nowhere"):
        client.get(path)
    events = [json.loads(line) for line in lines()]
    assert [(event["path"], event["route"], event["status"]) for event in events] == [
        ("/parcels/1", "/parcels/{parcel_id}", 200),
        ("/parcels/one", "/parcels/{parcel_id}", 422),
        ("/nowhere", None, 404),
    ]


def test_in_development_a_request_is_one_short_line(serve: Serve, lines: Lines) -> None:
    client = serve(router)
    client.get("/parcels/1")
    client.delete("/nowhere")
    client.get("/" + "nowhere" * 100)
    known, unknown, long = lines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO     GET /parcels/{parcel_id} 200 in \d+\.\d ms", known)
    assert "DELETE /nowhere 404" in unknown
    assert max(map(len, (known, unknown, long))) <= 100


def test_health_checks_are_logged_when_they_fail_or_at_debug(
    serve: Serve, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(environment="production")
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200
    assert lines() == []
    monkeypatch.setattr(HealthService, "check", AsyncMock(side_effect=StoppingError("the server is stopping")))
    client.get("/readyz")
    assert json.loads(lines()[-1])["status"] == 503
    monkeypatch.undo()
    serve(environment="production", log_level="DEBUG").get("/livez")
    assert json.loads(lines()[-1])["path"] == "/livez"


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_line_break_in_a_path_forges_no_line(serve: Serve, lines: Lines, environment: str) -> None:
    serve(environment=environment).get('/nowhere%0D%0A{"forged":1}%E2%80%A8forged')
    (line,) = lines()
    assert '{"forged"' not in line


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_line_break_in_a_message_forges_no_line(serve: Serve, lines: Lines, environment: str) -> None:
    serve(environment=environment)
    logging.getLogger("api").warning("received: %s", "text\r\n\u2028forged\x1b[2J\x9b0m")
    (line,) = lines()
    assert "forged" in line
    assert line.isprintable()


@pytest.mark.parametrize("value", ["\ud800", b"\xff", Decimal("1.50"), object()])
def test_any_value_can_be_logged(serve: Serve, lines: Lines, value: object) -> None:
    serve(environment="production")
    logging.getLogger("api").warning("value: %s", value, extra={"fields": {"value": value}})
    (event,) = map(json.loads, lines())
    assert event["message"] == f"value: {value!s}"
    assert event["value"] == str(value)


@pytest.mark.parametrize("environment", ["development", "production"])
def test_no_secret_is_logged_at_any_level(serve: Serve, lines: Lines, environment: str) -> None:
    client = serve(router, environment=environment, log_level="DEBUG")
    headers = {"Authorization": "Bearer hunter2", "Cookie": "session=hunter2"}
    assert client.get("/private?token=hunter2", headers=headers).status_code == 200
    written = lines()
    assert any("/private" in line for line in written)
    assert not any("hunter2" in line for line in written)


def test_the_level_silences_what_lies_below_it(serve: Serve, lines: Lines) -> None:
    serve(log_level="WARNING").get("/")
    assert lines() == []


def test_an_unhandled_exception_is_logged_with_traceback_and_request_id(serve: Serve, lines: Lines) -> None:
    response = serve(router, environment="production").get("/broken")
    failure, request = map(json.loads, lines())
    assert failure["level"] == "ERROR"
    assert "RuntimeError: it broke" in failure["traceback"]
    assert request["status"] == response.status_code == 500
    assert failure["request_id"] == request["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/background", "/teardown"])
def test_what_fails_after_the_response_is_logged_once_with_traceback_and_request_id(
    serve: Serve, lines: Lines, path: str
) -> None:
    response = serve(router, environment="production").get(path)
    assert response.status_code == 200
    failure, request = map(json.loads, lines())
    assert failure["level"] == "ERROR"
    assert "RuntimeError: it broke" in failure["traceback"]
    assert failure["request_id"] == response.headers["X-Request-ID"]
    assert request["status"] == 200


@pytest.mark.parametrize("path", ["/incomplete", "/invalid"])
def test_an_invalid_row_is_logged_without_its_values(serve: Serve, lines: Lines, path: str) -> None:
    assert serve(router, environment="production").get(path).status_code == 500
    failure = json.loads(lines()[0])
    assert "weight" in failure["traceback"]
    assert "hunter2" not in failure["traceback"]


def test_a_head_request_is_logged_as_such_with_its_route(serve: Serve, lines: Lines) -> None:
    serve(router, environment="production").head("/parcels/1")
    (event,) = map(json.loads, lines())
    assert (event["method"], event["route"], event["status"]) == ("HEAD", "/parcels/{parcel_id}", 200)


def test_in_development_an_error_line_holds_the_request_id(serve: Serve, lines: Lines) -> None:
    response = serve(router).get("/broken")
    line = lines()[0]
    assert "ERROR" in line
    assert line.endswith(f"request_id={response.headers['X-Request-ID']}")
