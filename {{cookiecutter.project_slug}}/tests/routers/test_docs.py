"""The documentation page."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest
from fastapi.testclient import TestClient


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
