"""Who responses, whether it is alive, and whether it can work."""

from collections.abc import Callable

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
