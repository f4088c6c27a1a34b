"""The endpoints of users."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from api.services.security import verify_password

PASSWORD = "a password of a few words"


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


@pytest.mark.parametrize("password", ["elevenchars", "x" * 129, None, 123456789012])
def test_a_password_has_a_length_of_12_to_128(client: TestClient, password: object) -> None:
    assert client.post("/v1/users", json={"email": "grace@example.com", "password": password}).status_code == 422


@pytest.mark.parametrize("password", ["x" * 12, "x" * 128, "            ", "пароль из слов"])
def test_a_password_can_have_any_characters(client: TestClient, password: str) -> None:
    assert client.post("/v1/users", json={"email": "grace@example.com", "password": password}).status_code == 201


def test_the_email_address_is_refused_as_the_password(client: TestClient) -> None:
    response = client.post("/v1/users", json={"email": "grace@example.com", "password": "Grace@Example.com"})
    assert response.status_code == 422
    assert response.json()["type"] == "urn:problem:password-is-email"
    assert client.patch("/v1/users/me", json={"password": "ada@example.com"}).status_code == 422
    client.patch("/v1/users/me", json={"password": "next@example.com"}).raise_for_status()
    assert client.patch("/v1/users/me", json={"email": "next@example.com"}).status_code == 422
    assert client.get("/v1/users/me").json()["email"] == "ada@example.com"


@pytest.mark.parametrize("email", ["", "grace", "grace@", "grace@example.com, eve@example.com", None])
def test_an_email_address_has_to_be_valid(client: TestClient, email: str | None) -> None:
    assert client.post("/v1/users", json={"email": email, "password": PASSWORD}).status_code == 422


def test_a_change_leaves_absent_fields(client: TestClient) -> None:
    assert client.patch("/v1/users/me", json={}).json()["email"] == "ada@example.com"
    assert (
        client.patch("/v1/users/me", json={"email": "Countess@Example.com"}).json()["email"] == "countess@example.com"
    )
    assert client.patch("/v1/users/me", json={"email": None}).status_code == 422
    client.patch("/v1/users/me", json={}).raise_for_status()
    assert client.get("/v1/users/me").json()["email"] == "countess@example.com"


def test_changing_to_a_taken_email_address_is_a_conflict(client: TestClient) -> None:
    client.post("/v1/users", json={"email": "grace@example.com", "password": PASSWORD}).raise_for_status()
    assert client.patch("/v1/users/me", json={"email": "grace@example.com"}).status_code == 409


def test_a_new_password_ends_all_sessions(client: TestClient) -> None:
    client.patch("/v1/users/me", json={"password": PASSWORD}).raise_for_status()
    form = {"username": "ada@example.com", "password": PASSWORD}
    tokens = client.post("/v1/auth/token", data=form).raise_for_status().json()
    client.patch("/v1/users/me", json={"password": f"{PASSWORD} more"}).raise_for_status()
    assert client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert client.post("/v1/auth/token", data=form).status_code == 401


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
        return ""

    responses: list[int] = []
    small = serve(database_pool_size=1, database_timeout=1)
    monkeypatch.setattr("api.services.users.hash_password", hash_password)
    monkeypatch.setattr("api.services.users.verify_password", hash_password)
    small.post("/v1/users", json={"email": "grace@example.com", "password": PASSWORD}).raise_for_status()
    for change in ({"password": PASSWORD}, {"email": "countess@example.com"}):
        small.patch("/v1/users/me", json=change, headers=client.headers).raise_for_status()
    assert responses == [200] * 3


def test_an_email_address_that_concurrently_becomes_the_password_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(password: str, password_hash: str | None) -> bool:
        monkeypatch.undo()
        client.patch("/v1/users/me", json={"password": "next@example.com"}).raise_for_status()
        return verify_password(password, password_hash)

    monkeypatch.setattr("api.services.users.verify_password", verify)
    assert client.patch("/v1/users/me", json={"email": "next@example.com"}).status_code == 422
    assert client.get("/v1/users/me").json()["email"] == "ada@example.com"


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


def test_the_token_of_a_user_who_does_not_exist_is_refused(client: TestClient, other_user: dict[str, str]) -> None:
    responses = [
        client.get("/v1/users/me", headers=other_user),
        client.patch("/v1/users/me", json={}, headers=other_user),
    ]
    # option: example
    budget = {"name": "Food", "limit": "1.00"}
    responses.append(client.post("/v1/budgets", json=budget, headers=other_user))
    # end: example
    assert {(response.status_code, response.json()["type"]) for response in responses} == {
        (401, "urn:problem:user-not-found")
    }
