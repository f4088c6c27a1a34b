"""The endpoints of users."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import delete

from api.dependencies.database import Database
from api.models import User
from api.services import security, sessions
from api.services.security import verify_password
from tests.conftest import PASSWORD

NEW_PASSWORD = "seven green owls knit"
COUNTESS = "countess@example.com"


def change(client: TestClient, current_password: str = PASSWORD, **fields: str | None) -> Response:
    return client.patch("/v1/users/me", json={"current_password": current_password, **fields})


def login(client: TestClient, password: str) -> dict[str, str]:
    """Log Ada in, and send the access token with the next requests."""
    form = {"username": "ada@example.com", "password": password}
    tokens: dict[str, str] = client.post("/v1/auth/token", data=form).raise_for_status().json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return tokens


def test_a_new_user_can_log_in_and_is_found(client: TestClient) -> None:
    created = client.post("/v1/users", json={"email": "Grace@Example.COM", "password": PASSWORD})
    assert created.status_code == 201
    assert created.headers["Location"] == "/v1/users/me"
    assert created.json() == {"id": created.json()["id"], "email": "grace@example.com"}
    token = client.post("/v1/auth/token", data={"username": "grace@example.com", "password": PASSWORD}).json()
    response = client.get("/v1/users/me", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert response.json() == created.json()


def test_an_email_address_is_unique_regardless_of_case(client: TestClient) -> None:
    response = client.post("/v1/users", json={"email": "ADA@example.com", "password": PASSWORD})
    assert response.status_code == 409
    assert response.json()["type"] == "urn:problem:email-taken"


@pytest.mark.parametrize("password", ["fourteen chars", "x" * 129, None, 123456789012345])
def test_a_password_has_a_length_of_15_to_128(client: TestClient, password: object) -> None:
    assert client.post("/v1/users", json={"email": "grace@example.com", "password": password}).status_code == 422


@pytest.mark.parametrize("password", ["three small cat", "many words " * 11, "пароль из трёх слов", "🐍🦀🐹🐘🦜 " * 3])
def test_a_password_can_have_any_characters(client: TestClient, password: str) -> None:
    assert client.post("/v1/users", json={"email": "grace@example.com", "password": password}).status_code == 201


@pytest.mark.parametrize(
    "password",
    [
        " " * 15,
        "x" * 128,
        "123456789012345",
        "passwordpassword1",
        "qwertyuiopasdfgh",
        "1q2w3e4r5t6y7u8i9o",
        "Grace.Hopper@Example.com",
        "grace.hopper\uff20example.com",
        "Grace.Hopper123456",
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(client: TestClient, password: str) -> None:
    response = client.post("/v1/users", json={"email": "grace.hopper@example.com", "password": password})
    assert response.status_code == 422
    assert response.json()["type"] == "urn:problem:guessable-password"
    assert change(client, password="x" * 15).status_code == 422


def test_the_email_address_cannot_become_the_password(client: TestClient) -> None:
    change(client, password=COUNTESS).raise_for_status()
    login(client, COUNTESS)
    assert change(client, COUNTESS, email=COUNTESS).status_code == 422
    assert client.get("/v1/users/me").json()["email"] == "ada@example.com"


@pytest.mark.parametrize("fields", [{"password": "seven green owls knit"}, {"email": "eve@example.com"}, {}])
def test_a_change_needs_the_current_password(client: TestClient, fields: dict[str, str]) -> None:
    assert client.patch("/v1/users/me", json=fields).status_code == 422
    response = change(client, "a guess at the password", **fields)
    assert response.status_code == 403
    assert response.json()["type"] == "urn:problem:wrong-password"
    assert client.get("/v1/users/me").json()["email"] == "ada@example.com"


def test_guessing_the_current_password_has_to_wait(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS_PER_ACCOUNT", 2)
    assert [change(client, "a guess at the password").status_code for _ in range(3)] == [403, 403, 429]


def test_registrations_from_one_address_have_to_wait(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS_PER_ADDRESS", 2)
    bodies = [{"email": f"{number}@example.com", "password": PASSWORD} for number in range(3)]
    responses = [client.post("/v1/users", json=body) for body in bodies]
    assert [response.status_code for response in responses] == [201, 201, 429]
    assert int(responses[-1].headers["Retry-After"]) > 0


def test_a_closed_registration_is_not_found(serve: Callable[..., TestClient], client: TestClient) -> None:
    closed = serve(registration="closed")
    body = {"email": "grace@example.com", "password": PASSWORD}
    assert closed.post("/v1/users", json=body).status_code == 404
    assert "/v1/users" not in closed.get("/openapi.json").json()["paths"]
    assert closed.get("/v1/users/me", headers=client.headers).status_code == 200


def test_a_full_queue_of_passwords_is_refused_at_once(client: TestClient) -> None:
    with ExitStack() as queue:
        while security.HASHING_QUEUE.acquire(blocking=False):
            queue.callback(security.HASHING_QUEUE.release)
        form = {"username": "ada@example.com", "password": PASSWORD}
        responses = [
            client.post("/v1/users", json={"email": "grace@example.com", "password": PASSWORD}),
            client.post("/v1/auth/token", data=form),
            change(client),
        ]
    assert [(response.status_code, response.headers["Retry-After"]) for response in responses] == [(503, "1")] * 3


@pytest.mark.parametrize("email", ["", "grace", "grace@", "grace@example.com, eve@example.com", None])
def test_an_email_address_has_to_be_valid(client: TestClient, email: str | None) -> None:
    assert client.post("/v1/users", json={"email": email, "password": PASSWORD}).status_code == 422


def test_a_change_leaves_absent_fields(client: TestClient) -> None:
    assert change(client).json()["email"] == "ada@example.com"
    assert change(client, email="Countess@Example.com").json()["email"] == "countess@example.com"
    assert change(client, email=None).status_code == 422
    change(client).raise_for_status()
    assert client.get("/v1/users/me").json()["email"] == "countess@example.com"


def test_changing_to_a_taken_email_address_is_a_conflict(client: TestClient) -> None:
    assert change(client, email="bob@example.com").status_code == 409


def test_a_new_password_ends_all_sessions(client: TestClient, other_user: dict[str, str]) -> None:
    tokens = login(client, PASSWORD)
    change(client, password=f"{PASSWORD} more").raise_for_status()
    assert client.get("/v1/users/me").status_code == 401
    assert client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert client.post("/v1/auth/token", data={"username": "ada@example.com", "password": PASSWORD}).status_code == 401
    assert client.get("/v1/users/me", headers=other_user).status_code == 200


def test_no_response_has_a_password(client: TestClient) -> None:
    body = {"email": "grace@example.com", "password": PASSWORD}
    assert PASSWORD not in client.post("/v1/users", json=body).text
    assert PASSWORD not in client.post("/v1/users", json=body).text
    assert PASSWORD not in client.post("/v1/users", json={**body, "unknown": 1}).text


def test_no_connection_is_held_while_a_password_is_hashed(
    client: TestClient, serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hash_password(*_: str) -> str:
        responses.append(small.get("/readyz").status_code)
        return "a hash"

    responses: list[int] = []
    small = serve(database_pool_size=1, database_timeout=1)
    monkeypatch.setattr("api.services.users.hash_password", hash_password)
    monkeypatch.setattr("api.services.users.verify_password", hash_password)
    small.post("/v1/users", json={"email": "grace@example.com", "password": PASSWORD}).raise_for_status()
    small.headers["Authorization"] = client.headers["Authorization"]
    change(small, email="countess@example.com").raise_for_status()
    change(small, password=NEW_PASSWORD).raise_for_status()
    assert responses == [200] * 4


def test_a_change_with_a_password_that_changes_meanwhile_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(password: str, password_hash: str | None) -> bool:
        monkeypatch.undo()
        change(client, password=NEW_PASSWORD).raise_for_status()
        return verify_password(password, password_hash)

    monkeypatch.setattr("api.services.users.verify_password", verify)
    assert change(client, email="eve@example.com").status_code == 403


def test_two_passwords_are_hashed_at_a_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_password(password: str) -> str:
        running.append(password)
        at_once.append(len(running))
        time.sleep(0.01)
        running.pop()
        return ""

    running: list[str] = []
    at_once: list[int] = []
    monkeypatch.setattr("api.services.users.hash_password", hash_password)
    bodies = [{"email": f"{number}@example.com", "password": PASSWORD} for number in range(10)]
    with ThreadPoolExecutor(len(bodies)) as pool:
        responses = list(pool.map(lambda body: client.post("/v1/users", json=body).status_code, bodies))
    assert responses == [201] * len(bodies)
    assert max(at_once) <= 2


def test_the_token_of_a_user_who_is_deleted_is_refused(client: TestClient) -> None:
    assert client.get("/v1/users/me").status_code == 200
    assert client.portal is not None
    client.portal.call(delete_users, client.app_state["database"])
    responses = [client.get("/v1/users/me"), change(client)]
    # option: example
    responses.append(client.post("/v1/budgets", json={"name": "Food", "limit": "1.00"}))
    # end: example
    assert {(response.status_code, response.json()["type"]) for response in responses} == {
        (401, "urn:problem:user-not-found")
    }


async def delete_users(database: Database) -> None:
    async with database.session() as session:
        await session.execute(delete(User))
