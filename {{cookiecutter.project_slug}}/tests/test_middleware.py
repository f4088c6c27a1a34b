"""What surrounds every request: its id, the host it is for, and what browsers are told."""

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


def test_nobody_sends_what_a_browser_keeps_for_us(serve: Callable[..., TestClient]) -> None:
    answer = serve(cors_origins=["*"]).get("/livez", headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_no_origin_may_by_default(numbers: TestClient) -> None:
    answer = numbers.get("/livez", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(("path", "status"), ANSWERS)
def test_every_answer_tells_browsers_to_do_nothing_with_it(shared_numbers: TestClient, path: str, status: int) -> None:
    answer = shared_numbers.get(path)
    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("environment", ["development", "production"])
def test_production_alone_insists_on_https(serve: Callable[..., TestClient], environment: str) -> None:
    answer = serve(environment=environment).get("/livez")
    assert ("Strict-Transport-Security" in answer.headers) == (environment == "production")


@pytest.fixture(scope="module")
def named_numbers(serve: Callable[..., TestClient]) -> TestClient:
    """An application that has a name, and the names below another."""
    return serve(router, allowed_hosts=["api.example", "*.api.example", "::1"])


@pytest.mark.parametrize("host", ["api.example", "API.example:8443", "eu.api.example", "[::1]:5000"])
def test_we_answer_to_our_names(named_numbers: TestClient, host: str) -> None:
    assert named_numbers.get("/numbers/1", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "api.example.evil.example", "evilapi.example", "api.example@evil"]
)
def test_who_asks_for_another_host_is_told_so(named_numbers: TestClient, host: str) -> None:
    for path in ("/numbers/1", "/nowhere", "/docs"):
        answer = named_numbers.get(path, headers={"Host": host})
        assert answer.status_code == answer.json()["status"] == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_asked_by_address(named_numbers: TestClient, path: str) -> None:
    assert named_numbers.get(path, headers={"Host": "10.0.0.7:5000"}).status_code == 200
