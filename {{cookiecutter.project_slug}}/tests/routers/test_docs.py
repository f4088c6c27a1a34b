"""The documentation page."""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient


def prefilled_requests(client: TestClient) -> Iterator[tuple[str, str, str, Any]]:
    """Return method, path, media type and body of each request that has one, as the page prefills them."""
    schema = client.get("/openapi.json").json()

    def example(part: dict[str, Any]) -> object:
        if "$ref" in part:
            return example(schema["components"]["schemas"][part["$ref"].split("/")[-1]])
        if "properties" in part:
            return {name: example(field) for name, field in part["properties"].items()}
        if "items" in part:
            return [example(part["items"])]
        [value, *_] = part.get("examples") or [example(each) for each in part.get("anyOf", [])] or [None]
        return value

    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                yield method, re.sub(r"{\w+}", str(UUID(int=0)), path), media_type, example(content["schema"])


def test_every_field_of_every_request_has_an_example(client: TestClient) -> None:
    bodies = [(method, path, json.dumps(body)) for method, path, _, body in prefilled_requests(client)]
    assert [each for each in bodies if "null" in each[2]] == []


def test_the_examples_of_every_request_are_valid(client: TestClient) -> None:
    for method, path, media_type, body in prefilled_requests(client):
        is_json = media_type == "application/json"
        response = client.request(method, path, json=body if is_json else None, data=None if is_json else body)
        assert response.status_code < 500
        assert "errors" not in (response.content and response.json()), (method, path)


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
