"""What surrounds every request: its id, and who may call from a browser."""

from collections.abc import Callable
from uuid import UUID

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

ORIGIN = "https://app.example"

router = APIRouter()


@router.get("/broken")
async def fail() -> None:
    raise RuntimeError


@router.get("/numbers/{number}")
async def read_number(number: int) -> int:
    return number


@pytest.fixture(scope="module")
def numbers(serve: Callable[..., TestClient]) -> TestClient:
    """An application for callers of its own origin."""
    return serve(router)


@pytest.fixture(scope="module")
def shared_numbers(serve: Callable[..., TestClient]) -> TestClient:
    """An application for callers of one other origin."""
    return serve(router, cors_origins=[ORIGIN])


ANSWERS = [("/numbers/1", 200), ("/nowhere", 404), ("/numbers/one", 422), ("/broken", 500)]


@pytest.mark.parametrize(("path", "status"), ANSWERS)
def test_every_answer_carries_an_id_of_its_own(numbers: TestClient, path: str, status: int) -> None:
    first, second = numbers.get(path), numbers.get(path)
    assert first.status_code == status
    assert UUID(first.headers["X-Request-ID"]).version == 7
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


@pytest.mark.parametrize(("path", "status"), ANSWERS)
def test_a_harmless_id_is_kept(numbers: TestClient, path: str, status: int) -> None:
    answer = numbers.get(path, headers={"X-Request-ID": "trace-1.a_B"})
    assert answer.status_code == status
    assert answer.headers["X-Request-ID"] == "trace-1.a_B"


@pytest.mark.parametrize("given", ["", "two words", "a\tb", "<script>", "é", "x" * 65])
def test_a_harmful_id_is_replaced(numbers: TestClient, given: str) -> None:
    answer = numbers.get("/livez", headers={b"X-Request-ID": given.encode()})
    assert UUID(answer.headers["X-Request-ID"]).version == 7


@pytest.mark.parametrize(("path", "status"), ANSWERS)
def test_a_listed_origin_may_read_every_answer(shared_numbers: TestClient, path: str, status: int) -> None:
    answer = shared_numbers.get(path, headers={"Origin": ORIGIN})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]


def test_a_listed_origin_may_send_every_method_and_header(shared_numbers: TestClient) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    answer = shared_numbers.options("/numbers/1", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]


def test_another_origin_may_not(shared_numbers: TestClient) -> None:
    answer = shared_numbers.get("/livez", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_no_origin_may_by_default(numbers: TestClient) -> None:
    answer = numbers.get("/livez", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers
