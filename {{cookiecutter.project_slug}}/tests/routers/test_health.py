"""Who answers, whether it is alive, and whether it can work."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url

from api import TITLE, VERSION

ABSENT = [
    "sqlite+aiosqlite:////no/such/folder/app.db",
    "postgresql+asyncpg://user:hunter2@127.0.0.1:1/app",  # option: database=postgresql
]


def test_the_root_tells_who_answers_and_where_the_docs_are(client: TestClient) -> None:
    about = client.get("/").json()
    assert about == {"name": TITLE, "version": VERSION, "docs": "/docs"}
    assert client.get(about["docs"]).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_all_is_well(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("url", ABSENT)
def test_without_a_database_it_is_alive_but_not_ready(serve: Callable[..., TestClient], url: str) -> None:
    client = serve(database_url=make_url(url))
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["type"] == "urn:problem:database-unavailable"
    assert "hunter2" not in answer.text
