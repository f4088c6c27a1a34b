"""What every backend responds to: its name, its health, and the documentation."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url

from api import TITLE, VERSION

ABSENT = [
    "sqlite+aiosqlite:////no/such/folder/app.db",
    "postgresql+asyncpg://user:hunter2@127.0.0.1:1/app",  # option: database=postgresql
]


def test_the_root_has_name_version_and_path_of_the_documentation(client: TestClient) -> None:
    about = client.get("/").json()
    assert about == {"name": TITLE, "version": VERSION, "docs": "/docs"}
    assert client.get(about["docs"]).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_healthy_process_returns_200(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("url", ABSENT)
def test_without_a_database_the_process_is_alive_but_not_ready(serve: Callable[..., TestClient], url: str) -> None:
    client = serve(database_url=make_url(url))
    assert client.get("/livez").status_code == 200
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "1"
    assert response.json()["type"] == "urn:problem:database-unavailable"
    assert "hunter2" not in response.text


def test_the_examples_of_every_request_are_valid(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    requests = [
        (method, re.sub(r"{\w+}", str(UUID(int=0)), path), media_type, content["schema"].get("$ref", "").split("/")[-1])
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    for method, path, media_type, model in requests:
        fields = schema["components"]["schemas"].get(model, {}).get("properties", {})
        body = {name: field["examples"][0] for name, field in fields.items() if "examples" in field}
        is_json = media_type == "application/json"
        response = client.request(method, path, json=body if is_json else None, data=None if is_json else body)
        errors = response.json().get("errors", []) if response.content else []
        assert {error["loc"][-1] for error in errors}.isdisjoint(body), (method, path)


def test_an_operation_id_is_the_name_of_a_function_and_unique(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"].values()
    ids = [operation["operationId"] for operations in paths for operation in operations.values()]
    assert {"about", "livez", "readyz"} <= set(ids)
    assert len(set(ids)) == len(ids)
    assert [each for each in ids if "_v1" in each] == []


def test_a_login_on_the_page_outlives_a_reload(client: TestClient) -> None:
    assert '"persistAuthorization": true' in client.get("/docs").text


def test_the_page_needs_nothing_from_other_servers(client: TestClient) -> None:
    page = client.get("/docs").text
    needed = re.findall(r"""(?:href|src)="([^"]+)"|url: '([^']+)'""", page)
    assert len(needed) == 4
    for first, second in needed:
        path = first or second
        assert path.startswith("/")
        assert client.get(path).status_code == 200
    assert "://" not in page


def test_the_page_allows_only_its_own_scripts(client: TestClient) -> None:
    response = client.get("/docs")
    [script] = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_the_page_works_behind_a_proxy_with_a_path_prefix(client: TestClient) -> None:
    with TestClient(client.app, root_path="/shop") as behind_a_proxy:
        page = behind_a_proxy.get("/docs").text
    assert "url: '/shop/openapi.json'" in page
    assert 'src="/shop/docs/assets/' in page


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"environment": "production"}, False),
        ({"environment": "production", "docs": True}, True),
        ({"docs": False}, False),
    ],
)
def test_the_page_is_public_only_if_it_is_set_so(
    serve: Callable[..., TestClient], changes: dict[str, object], *, shown: bool
) -> None:
    client = serve(**changes)
    assert client.get("/").json()["docs"] == ("/docs" if shown else None)
    for path in ("/docs", "/docs/assets/swagger-ui.css", "/openapi.json"):
        assert client.get(path).status_code == (200 if shown else 404)
    assert client.get("/redoc").status_code == 404
