"""Every error is a problem after RFC 9457."""

import asyncio
from collections.abc import Callable, Iterator
from http import HTTPStatus
from unittest.mock import AsyncMock

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from api.dependencies.middleware import body_limit
from api.dependencies.middleware.body_limit import MAX_BODY_BYTES, BodyLimitMiddleware
from api.routers.problems import STATUS_BY_KIND
from api.schemas.base import RequestBody
from api.services.errors import ConflictError, NotFoundError, ServiceError, UnavailableError

TOO_LARGE = b" " * (MAX_BODY_BYTES + 1)

router = APIRouter()


class Login(RequestBody):
    """What must not be repeated."""

    user: str
    pin: int


class NoRoomError(NotFoundError):
    """One of each kind."""

    code = "no-room"
    title = "No such room"


class RoomTakenError(ConflictError):
    """One of each kind."""

    code = "room-taken"
    title = "The room is taken"


class RoomClosedError(UnavailableError):
    """One of each kind."""

    code = "room-closed"
    title = "The room is closed"


ERRORS = {error.code: error for error in (NoRoomError, RoomTakenError, RoomClosedError)}


@router.get("/errors/{code}")
async def fail(code: str) -> None:
    detail = "the hotel's own words"
    raise ERRORS[code](detail)  # for an unknown code a KeyError, which nobody foresees


@router.get("/logins")
async def list_logins() -> None:
    """Share the path with another method."""


@router.post("/logins")
async def log_in(login: Login) -> str:
    return login.user


@pytest.fixture(scope="module")
def hotel(serve: Callable[..., TestClient]) -> TestClient:
    """An application whose routes fail."""
    return serve(router)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/livez", 405),
        ("POST", "/logins", 422),
        ("GET", "/errors/unforeseen", 500),
    ],
)
def test_errors_of_the_framework_are_problems(hotel: TestClient, method: str, path: str, status: int) -> None:
    answer = hotel.request(method, path)
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == "about:blank"
    assert problem["title"] == HTTPStatus(status).phrase
    assert problem["detail"]
    assert problem["instance"] == path
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert ("errors" in problem) == (status == 422)


@pytest.mark.parametrize(
    ("code", "title", "status"),
    [
        ("no-room", "No such room", 404),
        ("room-taken", "The room is taken", 409),
        ("room-closed", "The room is closed", 503),
    ],
)
def test_an_error_of_a_service_gets_the_status_of_its_kind(
    hotel: TestClient, code: str, title: str, status: int
) -> None:
    answer = hotel.get(f"/errors/{code}")
    assert answer.status_code == status
    assert answer.json() == {
        "type": f"urn:problem:{code}",
        "title": title,
        "status": status,
        "detail": "the hotel's own words",
        "instance": f"/errors/{code}",
        "request_id": answer.headers["X-Request-ID"],
    }


def test_every_kind_of_error_has_a_status() -> None:
    assert set(ServiceError.__subclasses__()) == set(STATUS_BY_KIND)


def test_what_is_unavailable_is_worth_another_try(hotel: TestClient) -> None:
    assert hotel.get("/errors/room-closed").headers["Retry-After"] == "1"
    assert "Retry-After" not in hotel.get("/errors/room-taken").headers


def test_a_wrong_method_is_told_the_right_one(hotel: TestClient) -> None:
    assert hotel.delete("/livez").headers["Allow"] == "GET"
    assert hotel.delete("/logins").headers["Allow"] == "GET, POST"
    assert hotel.delete("/docs").headers["Allow"] == "GET, HEAD"


def test_an_unforeseen_error_gives_nothing_away(hotel: TestClient) -> None:
    assert "KeyError" not in hotel.get("/errors/unforeseen").text


def test_all_invalid_parts_are_named_but_not_repeated(hotel: TestClient) -> None:
    answer = hotel.post("/logins", json={"pin": "hunter2", "hobby": "hunter2"})
    parts = {(*part["loc"], part["type"]) for part in answer.json()["errors"]}
    assert parts == {
        ("body", "user", "missing"),
        ("body", "pin", "int_parsing"),
        ("body", "hobby", "extra_forbidden"),
    }
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 422), (b"{", 422), (b"[]", 422), (b"null", 422), (b'{"user": "\xff"}', 400), (b"[" * 100_000, 400)],
)
def test_a_body_that_is_no_object_is_a_problem(hotel: TestClient, content: bytes, status: int) -> None:
    answer = hotel.post("/logins", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == answer.json()["status"] == status


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_a_body_is_a_problem(hotel: TestClient, *, announced: bool) -> None:
    content: bytes | Iterator[bytes] = TOO_LARGE if announced else iter([TOO_LARGE])
    answer = hotel.post("/logins", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.anyio
async def test_too_slow_a_body_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass

    async def trickle() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    monkeypatch.setattr(body_limit, "BODY_TIMEOUT", 0.05)
    with pytest.raises(HTTPException) as error:
        await BodyLimitMiddleware(read)({"type": "http", "headers": []}, trickle, AsyncMock())
    assert error.value.status_code == 408


def test_the_documentation_gives_problems_their_media_type(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    answers = [
        (int(status), list(answer.get("content", {})))
        for path in paths.values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
    ]
    assert all(media == ["application/problem+json"] for status, media in answers if status >= 400)
    assert any(status == 503 for status, _ in answers)
