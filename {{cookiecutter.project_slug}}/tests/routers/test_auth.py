"""Logins over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from api.services import auth
from api.services.security import Purpose, TokenSigner

FORM = {"username": "grace@example.com", "password": "a password of a few words"}
GUESS = {**FORM, "password": "a guess at the password"}

ATTEMPTS = 3


@pytest.fixture(autouse=True)
def _few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose, so let few attempts be many."""
    monkeypatch.setattr(auth, "ATTEMPTS_PER_ACCOUNT", ATTEMPTS)


@pytest.fixture
def tokens(client: TestClient) -> dict[str, str]:
    """The tokens of a new user's login."""
    client.post("/v1/users", json={"email": FORM["username"], "password": FORM["password"]}).raise_for_status()
    tokens: dict[str, str] = client.post("/v1/auth/token", data=FORM).raise_for_status().json()
    return tokens


def me(client: TestClient, authorization: str) -> Response:
    return client.get("/v1/users/me", headers={"Authorization": authorization})


def refresh(client: TestClient, token: str) -> Response:
    return client.post("/v1/auth/refresh", json={"refresh_token": token})


def test_a_login_gives_tokens_that_no_cache_keeps(client: TestClient, tokens: dict[str, str]) -> None:
    answer = client.post("/v1/auth/token", data={**FORM, "username": " GRACE@example.com"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json().keys() == tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert me(client, f"Bearer {tokens['access_token']}").json()["email"] == FORM["username"]


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    client: TestClient, tokens: dict[str, str]
) -> None:
    assert tokens
    answers = [
        client.post("/v1/auth/token", data=form) for form in (GUESS, {**GUESS, "username": "nobody@example.com"})
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    bodies = [{**answer.json(), "request_id": None} for answer in answers]
    assert bodies[0] == bodies[1]


def test_an_address_is_the_same_however_it_was_typed(client: TestClient) -> None:
    password = FORM["password"]
    client.post("/v1/users", json={"email": "zoe\u0308@example.com", "password": password}).raise_for_status()
    for typed in ("zo\u00eb@example.com", " ZOE\u0308@Example.COM "):
        assert client.post("/v1/auth/token", data={"username": typed, "password": password}).status_code == 200
        assert client.post("/v1/users", json={"email": typed.strip(), "password": password}).status_code == 409


@pytest.mark.parametrize("typed", ["ada", "ada@", "\0", "a\0@example.com", "x" * 5000, "' OR 1=1 --", "%00"])
def test_what_is_no_address_is_nobodys(client: TestClient, typed: str) -> None:
    assert client.post("/v1/auth/token", data={"username": typed, "password": typed}).status_code == 401


def test_a_form_that_is_no_text_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in (b"username=%ff&password=%ff", b"username=\xff&password=\xff"):
        assert client.post("/v1/auth/token", content=content, headers=headers).status_code in {401, 422}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x.y.z", "Basic YTpi"])
def test_without_a_token_that_holds_nobody_is_let_in(client: TestClient, authorization: str) -> None:
    answer = me(client, authorization)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_a_refresh_token_works_once(client: TestClient, tokens: dict[str, str]) -> None:
    renewed = refresh(client, tokens["refresh_token"]).raise_for_status().json()
    assert me(client, f"Bearer {renewed['access_token']}").status_code == 200
    assert refresh(client, tokens["refresh_token"]).status_code == 401


def test_a_token_that_is_spent_twice_ends_its_family_and_no_other(client: TestClient, tokens: dict[str, str]) -> None:
    other = client.post("/v1/auth/token", data=FORM).json()
    renewed = refresh(client, tokens["refresh_token"]).json()
    assert refresh(client, tokens["refresh_token"]).status_code == 401
    assert refresh(client, renewed["refresh_token"]).status_code == 401
    assert refresh(client, other["refresh_token"]).status_code == 200


def test_of_many_that_spend_a_token_at_once_one_succeeds(client: TestClient, tokens: dict[str, str]) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: refresh(client, tokens["refresh_token"]).status_code, range(10)))
    assert sorted(answers) == [200] + [401] * 9


def test_after_a_logout_no_token_is_renewed(client: TestClient, tokens: dict[str, str]) -> None:
    assert client.post("/v1/auth/logout", json={"refresh_token": tokens["refresh_token"]}).status_code == 204
    assert refresh(client, tokens["refresh_token"]).status_code == 401


def test_a_token_is_good_for_its_purpose_only(client: TestClient, tokens: dict[str, str]) -> None:
    assert me(client, f"Bearer {tokens['refresh_token']}").status_code == 401
    assert refresh(client, tokens["access_token"]).status_code == 401


def test_a_token_of_another_secret_or_of_yesterday_is_refused(client: TestClient) -> None:
    ids = (UUID(int=1), UUID(int=2))
    ours: TokenSigner = client.app_state["signer"]
    theirs = TokenSigner("another secret of at least 32 characters", issuer="somebody")
    for signer, lifetime in ((theirs, timedelta(hours=1)), (ours, timedelta(hours=-1))):
        assert me(client, f"Bearer {signer.sign(Purpose.ACCESS, *ids, lifetime)}").status_code == 401


@pytest.mark.parametrize("known", [True, False])
def test_guessing_has_to_wait(client: TestClient, tokens: dict[str, str], *, known: bool) -> None:
    assert tokens
    guess = GUESS if known else {**GUESS, "username": "nobody@example.com"}
    answers = [client.post("/v1/auth/token", data=guess) for _ in range(ATTEMPTS + 2)]
    assert [answer.status_code for answer in answers] == [401] * ATTEMPTS + [429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 15 * 60
    right = {**FORM, "username": guess["username"]}
    assert client.post("/v1/auth/token", data=right).status_code == 429


def test_guessing_at_many_accounts_from_one_address_has_to_wait(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "ATTEMPTS_PER_ADDRESS", ATTEMPTS)
    guesses = [{**GUESS, "username": f"user{number}@example.com"} for number in range(ATTEMPTS + 1)]
    answers = [client.post("/v1/auth/token", data=guess).status_code for guess in guesses]
    assert answers == [401] * ATTEMPTS + [429]


def test_an_attempt_is_forgotten_when_the_window_has_passed_it(
    client: TestClient, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tokens
    monkeypatch.setattr(auth, "WINDOW", timedelta(0))
    for form in (GUESS,) * (ATTEMPTS + 1):
        assert client.post("/v1/auth/token", data=form).status_code == 401


def test_nobody_waits_while_a_password_is_hashed(
    client: TestClient, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tokens
    begun, answered = Event(), Event()

    def verify(*_: object) -> bool:
        begun.set()
        return answered.wait(10)

    monkeypatch.setattr(auth, "verify_password", verify)
    with ThreadPoolExecutor(1) as pool:
        login = pool.submit(client.post, "/v1/auth/token", data=FORM)
        assert begun.wait(10)
        assert client.get("/livez").status_code == 200
        answered.set()
        assert login.result().status_code == 200


def test_guessing_many_at_once_does_not_help(client: TestClient, tokens: dict[str, str]) -> None:
    assert tokens
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/auth/token", data=GUESS).status_code, range(8)))
    assert answers.count(401) <= ATTEMPTS
    assert set(answers) <= {401, 429}


def test_a_success_forgives_the_failures_before(client: TestClient, tokens: dict[str, str]) -> None:
    assert tokens
    for form in (GUESS,) * (ATTEMPTS - 1) + (FORM,) + (GUESS,) * (ATTEMPTS - 1):
        assert client.post("/v1/auth/token", data=form).status_code in {200, 401}


def test_the_documentation_can_log_in(client: TestClient) -> None:
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    flow = schemes["OAuth2PasswordBearer"]["flows"]["password"]
    assert flow["tokenUrl"] == "/v1/auth/token"
