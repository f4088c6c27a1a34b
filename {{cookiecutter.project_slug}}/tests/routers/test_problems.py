"""Error responses are problems after RFC 9457."""

import asyncio
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Annotated
from unittest.mock import AsyncMock

import pytest
from fastapi import (
    APIRouter,
    Body,
    Form,  # option: auth
)
from fastapi import HTTPException as FastAPIHTTPException
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from api.dependencies.middleware import body_limit
from api.dependencies.middleware.body_limit import BodyLimitMiddleware
from api.routers.problems import STATUS_BY_KIND
from api.schemas.base import RequestBody
from api.schemas.problems import Problem
from api.services.errors import ConflictError, NotFoundError, ServiceError, UnavailableError

MAX_BODY_BYTES = 128 * 1024
TOO_LARGE = b" " * (MAX_BODY_BYTES + 1)

router = APIRouter()


class Login(RequestBody):
    """A body with a secret."""

    user: str
    pin: int


class ItemNotFoundError(NotFoundError):
    """An error of one kind."""

    code = "item-not-found"
    title = "No such item"


class ItemTakenError(ConflictError):
    """An error of one kind."""

    code = "item-taken"
    title = "The item is taken"


class ItemLockedError(UnavailableError):
    """An error of one kind."""

    code = "item-locked"
    title = "The item is locked"


ERRORS = {error.code: error for error in (ItemNotFoundError, ItemTakenError, ItemLockedError)}


@router.get("/errors/{code}")
async def fail(code: str) -> None:
    detail = "A detail."
    raise ERRORS[code](detail)  # for an unknown code a KeyError, which is not handled


@router.get("/logins")
async def list_logins() -> None:
    """Another method of the same path."""


@router.post("/logins")
async def log_in(login: Login) -> str:
    return login.user


# option: auth
@router.post("/form")
async def send_form(login: Annotated[Login, Form()]) -> str:
    return login.user


# end: auth
@router.post("/batch")
async def send_batch(pins: list[int]) -> int:
    return sum(pins)


@router.post("/raised")
async def raise_http_exception(status: int, detail: Annotated[object, Body()]) -> None:
    raise FastAPIHTTPException(status, detail, {"X-Reason": "a header", "Allow": "POST"})


@pytest.fixture(scope="module")
def failing(serve: Callable[..., TestClient]) -> TestClient:
    """An application whose routes fail."""
    return serve(router)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/livez", 405),
        ("GET", "/livez/", 404),
        ("POST", "/logins", 422),
        ("GET", "/errors/unknown", 500),
    ],
)
def test_errors_of_the_framework_are_problems(failing: TestClient, method: str, path: str, status: int) -> None:
    response = failing.request(method, path)
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == "about:blank"
    assert problem["title"] == HTTPStatus(status).phrase
    assert problem["detail"]
    assert problem["instance"] == path
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert ("errors" in problem) == (status == 422)


@pytest.mark.parametrize("status", [299, 307, 400, 405, 418, 499, 520, 599])
def test_an_http_exception_has_the_status_that_it_asks_for_and_its_headers(failing: TestClient, status: int) -> None:
    response = failing.post(f"/raised?status={status}", json="A detail.", follow_redirects=False)
    assert response.status_code == response.json()["status"] == status
    assert response.json()["title"]
    assert response.json()["detail"] == "A detail."
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.headers["X-Reason"], response.headers["Allow"]) == ("a header", "POST")


@pytest.mark.parametrize("detail", [{"code": "X", "field": None}, [1, {"a": 2}], 42, False])
def test_the_detail_of_an_http_exception_that_is_not_a_string_is_the_context(
    failing: TestClient, detail: object
) -> None:
    problem = failing.post("/raised?status=400", json=detail).json()
    assert problem["context"] == detail
    assert isinstance(problem["detail"], str)


@pytest.mark.parametrize("status", [204, 304])
def test_an_http_exception_whose_status_allows_no_body_has_none(failing: TestClient, status: int) -> None:
    response = failing.post(f"/raised?status={status}", json="A detail.")
    assert (response.status_code, response.content) == (status, b"")
    assert response.headers["X-Reason"] == "a header"


@pytest.mark.parametrize(
    ("code", "title", "status"),
    [
        ("item-not-found", "No such item", 404),
        ("item-taken", "The item is taken", 409),
        ("item-locked", "The item is locked", 503),
    ],
)
def test_an_error_of_a_service_has_the_status_of_its_kind(
    failing: TestClient, code: str, title: str, status: int
) -> None:
    response = failing.get(f"/errors/{code}")
    assert response.status_code == status
    assert response.json() == {
        "type": f"urn:problem:{code}",
        "title": title,
        "status": status,
        "detail": "A detail.",
        "instance": f"/errors/{code}",
        "request_id": response.headers["X-Request-ID"],
    }


def test_every_kind_of_error_has_a_status() -> None:
    assert set(ServiceError.__subclasses__()) == set(STATUS_BY_KIND)


def test_a_503_has_a_retry_after_header(failing: TestClient) -> None:
    assert failing.get("/errors/item-locked").headers["Retry-After"] == "1"
    assert "Retry-After" not in failing.get("/errors/item-taken").headers


def test_a_405_has_all_allowed_methods(failing: TestClient) -> None:
    assert failing.delete("/livez").headers["Allow"] == "GET, HEAD"
    assert failing.delete("/logins").headers["Allow"] == "GET, HEAD, POST"
    assert failing.head("/raised").headers["Allow"] == "POST"
    assert failing.delete("/docs").headers["Allow"] == "GET, HEAD"
    assert failing.delete("/docs/assets/swagger-ui.css").headers["Allow"] == "GET, HEAD"


def test_an_unhandled_exception_is_not_revealed(failing: TestClient) -> None:
    assert "KeyError" not in failing.get("/errors/unknown").text


def test_a_422_has_all_invalid_fields_but_no_values(failing: TestClient) -> None:
    response = failing.post("/logins", json={"pin": "hunter2", "hobby": "hunter2"})
    parts = {(*part["loc"], part["type"]) for part in response.json()["errors"]}
    assert parts == {
        ("body", "user", "missing"),
        ("body", "pin", "int_parsing"),
        ("body", "hobby", "extra_forbidden"),
    }
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 422), (b"{", 422), (b"[]", 422), (b"null", 422), (b'{"user": "\xff"}', 400), (b"[" * 100_000, 400)],
)
def test_a_body_that_is_not_an_object_is_a_problem(failing: TestClient, content: bytes, status: int) -> None:
    response = failing.post("/logins", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == response.json()["status"] == status


def test_many_unknown_fields_are_one_error(failing: TestClient) -> None:
    response = failing.post("/logins", json={f"field {number}": "" for number in range(5_000)})
    assert [error["type"] for error in response.json()["errors"]] == ["too_many_fields"]


def test_a_422_has_a_hundred_errors_at_most(failing: TestClient) -> None:
    assert len(failing.post("/batch", json=["one"] * 5_000).json()["errors"]) == 100


# option: auth
@pytest.mark.parametrize(("fields", "status"), [(50, 422), (5_000, 400)])
def test_a_form_with_many_fields_is_refused(failing: TestClient, fields: int, status: int) -> None:
    assert failing.post("/form", data={f"{number}": "" for number in range(fields)}).status_code == status


# end: auth
def test_the_size_of_a_body_is_a_setting(serve: Callable[..., TestClient]) -> None:
    small = serve(router, max_body_bytes=20)
    assert small.post("/logins", json={"user": "ada", "pin": 1234}).status_code == 413
    assert small.post("/logins", json={"pin": 1234}).status_code == 422


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_a_problem(failing: TestClient, *, announced: bool) -> None:
    content: bytes | Iterator[bytes] = TOO_LARGE if announced else iter([TOO_LARGE])
    response = failing.post("/logins", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.anyio
async def test_a_body_that_is_too_slow_is_a_408(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass

    async def trickle() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    monkeypatch.setattr(body_limit, "BODY_TIMEOUT", 0.05)
    with pytest.raises(HTTPException) as error:
        await BodyLimitMiddleware(read, MAX_BODY_BYTES)({"type": "http", "headers": []}, trickle, AsyncMock())
    assert error.value.status_code == 408


@pytest.mark.anyio
async def test_a_process_holds_so_many_bytes_of_bodies_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        await held.wait()

    async def upload() -> Message:
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    monkeypatch.setattr(body_limit, "MAX_BUFFERED_BYTES", 250)
    held = asyncio.Event()
    middleware = BodyLimitMiddleware(read, MAX_BODY_BYTES)
    uploads = [asyncio.create_task(middleware({"type": "http", "headers": []}, upload, AsyncMock())) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(HTTPException) as error:
        await uploads[2]
    assert (error.value.status_code, error.value.headers) == (503, {"Retry-After": "1"})
    held.set()
    await asyncio.gather(*uploads[:2])
    await middleware({"type": "http", "headers": []}, upload, AsyncMock())


def test_every_documented_problem_has_its_media_type_and_an_example(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    problems = [
        (int(status), response["content"])
        for path in paths.values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        if status >= "400"
    ]
    assert any(status == 503 for status, _ in problems)
    for status, content in problems:
        assert list(content) == ["application/problem+json"]
        example = Problem.model_validate(content["application/problem+json"]["example"], extra="forbid")
        assert (example.status, example.title) == (status, HTTPStatus(status).phrase)
        assert example.request_id
