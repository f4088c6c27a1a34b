"""Middleware: request id, allowed hosts, CORS and security headers."""

from collections.abc import Callable
from uuid import UUID

import pytest
from fastapi import APIRouter, Response, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from api.dependencies.database import SessionDep
from api.dependencies.middleware.request_id import current_request_id

ORIGIN = "https://app.example"

router = APIRouter()


@router.get("/broken")
async def fail() -> None:
    raise RuntimeError


@router.websocket("/echo")
async def echo_request_id(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(current_request_id.get())


@router.get("/numbers/{number}")
async def read_number(number: int) -> int:
    return number


@router.get("/streamed")
async def stream() -> StreamingResponse:
    return StreamingResponse(iter([b"one", b"two"]))


@router.get("/declared")
async def declare_get() -> str:
    return "declared"


@router.head("/declared")
async def declare_head() -> Response:
    return Response(headers={"X-Declared": "HEAD"})


@router.api_route("/read-only", methods=["GET", "POST"], include_in_schema=False)
async def require_that_nothing_is_written(session: SessionDep) -> None:
    connection = await session.connection()
    options = connection.sync_connection and connection.sync_connection.get_execution_options()
    assert options
    assert options.get("readonly") or options.get("isolation_level") == "AUTOCOMMIT"


@pytest.fixture(scope="module")
def numbers(serve: Callable[..., TestClient]) -> TestClient:
    """An application without CORS."""
    return serve(router)


@pytest.fixture(scope="module")
def shared_numbers(serve: Callable[..., TestClient]) -> TestClient:
    """An application that allows one other origin."""
    return serve(router, cors_origins=[ORIGIN])


RESPONSES = [("/numbers/1", 200), ("/nowhere", 404), ("/numbers/one", 422), ("/broken", 500)]


@pytest.mark.parametrize(("path", "status"), RESPONSES)
def test_every_response_has_its_own_request_id(numbers: TestClient, path: str, status: int) -> None:
    first, second = numbers.get(path), numbers.get(path)
    assert first.status_code == status
    assert UUID(first.headers["X-Request-ID"]).version == 7
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


@pytest.mark.parametrize(("path", "status"), RESPONSES)
def test_an_accepted_request_id_is_kept(numbers: TestClient, path: str, status: int) -> None:
    response = numbers.get(path, headers={"X-Request-ID": "trace-1.a_B"})
    assert response.status_code == status
    assert response.headers["X-Request-ID"] == "trace-1.a_B"


@pytest.mark.parametrize("given", ["", "two words", "a\tb", "<script>", "é", "x" * 65])
def test_any_other_request_id_is_replaced(numbers: TestClient, given: str) -> None:
    response = numbers.get("/livez", headers={b"X-Request-ID": given.encode()})
    assert UUID(response.headers["X-Request-ID"]).version == 7


def test_a_websocket_has_a_request_id(numbers: TestClient) -> None:
    with numbers.websocket_connect("/echo", headers={"X-Request-ID": "trace-1"}) as websocket:
        assert websocket.receive_json() == "trace-1"


@pytest.mark.parametrize(("path", "status"), RESPONSES)
def test_a_listed_origin_may_read_every_response(shared_numbers: TestClient, path: str, status: int) -> None:
    response = shared_numbers.get(path, headers={"Origin": ORIGIN})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "X-Request-ID" in response.headers["Access-Control-Expose-Headers"]


def test_a_listed_origin_may_send_every_method_and_header(shared_numbers: TestClient) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    response = shared_numbers.options("/numbers/1", headers=headers)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]


def test_an_origin_that_is_not_listed_may_not(shared_numbers: TestClient) -> None:
    response = shared_numbers.get("/livez", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_with_any_origin_allowed_browsers_send_no_credentials(serve: Callable[..., TestClient]) -> None:
    response = serve(cors_origins=["*"]).get("/livez", headers={"Origin": ORIGIN})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_no_other_origin_is_allowed_by_default(numbers: TestClient) -> None:
    response = numbers.get("/livez", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(("path", "status"), RESPONSES)
def test_every_response_has_the_security_headers(shared_numbers: TestClient, path: str, status: int) -> None:
    response = shared_numbers.get(path)
    assert response.status_code == status
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("environment", ["development", "production"])
def test_only_production_sends_strict_transport_security(serve: Callable[..., TestClient], environment: str) -> None:
    response = serve(environment=environment).get("/livez")
    assert ("Strict-Transport-Security" in response.headers) == (environment == "production")


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/docs", "/openapi.json", "/streamed", *dict(RESPONSES)])
def test_head_has_the_status_and_the_headers_of_get_but_no_body(numbers: TestClient, path: str) -> None:
    got, head = (numbers.request(method, path, headers={"X-Request-ID": "same"}) for method in ("GET", "HEAD"))
    assert (head.status_code, head.headers) == (got.status_code, got.headers)
    assert got.content
    assert head.content == b""


def test_head_only_reads(numbers: TestClient) -> None:
    assert numbers.head("/read-only").status_code == numbers.get("/read-only").status_code == 200
    assert numbers.post("/read-only").status_code == 500


def test_a_route_for_head_is_preferred(numbers: TestClient) -> None:
    assert numbers.head("/declared").headers["X-Declared"] == "HEAD"


def test_head_is_not_documented(numbers: TestClient) -> None:
    paths = numbers.get("/openapi.json").json()["paths"]
    assert "head" in paths.pop("/declared")
    assert [path for path, operations in paths.items() if "head" in operations] == []


@pytest.fixture(scope="module")
def named_numbers(serve: Callable[..., TestClient]) -> TestClient:
    """An application with allowed hosts: names, a wildcard, an address."""
    return serve(router, allowed_hosts=["api.example", "*.api.example", "::1"])


@pytest.mark.parametrize("host", ["api.example", "API.example:8443", "eu.api.example", "[::1]:5000"])
def test_a_request_for_an_allowed_host_is_served(named_numbers: TestClient, host: str) -> None:
    assert named_numbers.get("/numbers/1", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "api.example.evil.example", "evilapi.example", "api.example@evil"]
)
def test_a_request_for_another_host_is_a_bad_request(named_numbers: TestClient, host: str) -> None:
    for path in ("/numbers/1", "/nowhere", "/docs"):
        response = named_numbers.get(path, headers={"Host": host})
        assert response.status_code == response.json()["status"] == 400
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["X-Request-ID"] == response.json()["request_id"]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_checks_may_be_sent_to_an_address(named_numbers: TestClient, path: str) -> None:
    assert named_numbers.get(path, headers={"Host": "10.0.0.7:5000"}).status_code == 200
