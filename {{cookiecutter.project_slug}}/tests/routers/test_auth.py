"""The endpoints of logins."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from api.services import auth, sessions
from api.services.security import TokenClaims, TokenSigner, TokenType

FORM = {"username": "grace@example.com", "password": "a password of a few words"}
GUESS = {**FORM, "password": "a guess at the password"}


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


def test_a_login_returns_tokens_that_are_not_cached(client: TestClient, tokens: dict[str, str]) -> None:
    response = client.post("/v1/auth/token", data=FORM)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json().keys() == tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert me(client, f"Bearer {tokens['access_token']}").json()["email"] == FORM["username"]


@pytest.mark.parametrize(
    ("registered", "typed"),
    [
        ("grace@example.com", " GRACE@Example.com "),
        ("gr\u00e1ce@example.com", "gra\u0301ce@example.com"),
        ("grace@b\u00fccher.example", "grace@xn--bcher-kva.example"),
    ],
)
def test_an_email_address_is_normalized(client: TestClient, registered: str, typed: str) -> None:
    client.post("/v1/users", json={"email": registered, "password": FORM["password"]}).raise_for_status()
    assert client.post("/v1/auth/token", data={**FORM, "username": typed}).status_code == 200
    assert client.post("/v1/users", json={"email": typed, "password": FORM["password"]}).status_code == 409


@pytest.mark.parametrize("typed", ["", "ada", "ada@", "\0", "a\0@example.com", "x" * 5000, "' OR 1=1 --", "%00"])
def test_an_invalid_email_address_is_refused(client: TestClient, typed: str) -> None:
    response = client.post("/v1/auth/token", data={**FORM, "username": typed})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "username"]


def test_a_password_that_is_too_long_is_neither_hashed_nor_returned(client: TestClient) -> None:
    response = client.post("/v1/auth/token", data={**FORM, "password": "x" * 129})
    assert response.status_code == 422
    assert "xxx" not in response.text


def test_a_wrong_password_and_an_unknown_address_get_the_same_response(
    client: TestClient, tokens: dict[str, str]
) -> None:
    assert tokens
    responses = [
        client.post("/v1/auth/token", data=form) for form in (GUESS, {**GUESS, "username": "unknown@example.com"})
    ]
    assert [response.status_code for response in responses] == [401, 401]
    assert {response.headers["WWW-Authenticate"] for response in responses} == {"Bearer"}
    bodies = [{**response.json(), "request_id": None} for response in responses]
    assert bodies[0] == bodies[1]


def test_a_form_that_is_not_utf_8_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in (b"username=%ff&password=%ff", b"username=\xff&password=\xff"):
        assert client.post("/v1/auth/token", content=content, headers=headers).status_code in {401, 422}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x.y.z", "Basic YTpi"])
def test_without_a_valid_token_the_response_is_a_401(client: TestClient, authorization: str) -> None:
    response = me(client, authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


def test_a_refresh_token_works_once(client: TestClient, tokens: dict[str, str]) -> None:
    renewed = refresh(client, tokens["refresh_token"]).raise_for_status().json()
    assert me(client, f"Bearer {renewed['access_token']}").status_code == 200
    assert refresh(client, tokens["refresh_token"]).status_code == 401


def test_a_refresh_token_that_is_used_twice_ends_its_session_and_no_other(
    client: TestClient, tokens: dict[str, str]
) -> None:
    other = client.post("/v1/auth/token", data=FORM).json()
    renewed = refresh(client, tokens["refresh_token"]).json()
    assert refresh(client, tokens["refresh_token"]).status_code == 401
    assert refresh(client, renewed["refresh_token"]).status_code == 401
    assert refresh(client, other["refresh_token"]).status_code == 200


def test_one_of_many_concurrent_refreshes_with_one_token_succeeds(client: TestClient, tokens: dict[str, str]) -> None:
    with ThreadPoolExecutor(10) as pool:
        responses = list(pool.map(lambda _: refresh(client, tokens["refresh_token"]).status_code, range(10)))
    assert sorted(responses) == [200] + [401] * 9


def test_after_a_logout_the_tokens_are_refused(client: TestClient, tokens: dict[str, str]) -> None:
    assert me(client, f"Bearer {tokens['access_token']}").status_code == 200
    assert client.post("/v1/auth/logout", json={"refresh_token": tokens["refresh_token"]}).status_code == 204
    assert refresh(client, tokens["refresh_token"]).status_code == 401
    assert me(client, f"Bearer {tokens['access_token']}").status_code == 401


def test_another_process_refuses_the_access_token_of_an_ended_session_in_time(
    client: TestClient, serve: Callable[..., TestClient], tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other, authorization = serve(), f"Bearer {tokens['access_token']}"
    assert me(other, authorization).status_code == 200
    client.post("/v1/auth/logout", json={"refresh_token": tokens["refresh_token"]}).raise_for_status()
    assert me(other, authorization).status_code == 200
    monkeypatch.setattr(sessions, "SESSION_CHECK_SECONDS", 0)
    assert me(other, authorization).status_code == 401


def test_an_ended_session_is_noticed_on_a_machine_that_has_just_started(
    client: TestClient, serve: Callable[..., TestClient], tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/v1/auth/logout", json={"refresh_token": tokens["refresh_token"]}).raise_for_status()
    other = serve()
    monkeypatch.setattr(sessions, "monotonic", lambda: 1.0)
    assert me(other, f"Bearer {tokens['access_token']}").status_code == 401


def test_a_process_remembers_so_many_sessions(
    client: TestClient, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 1)
    for token in (tokens["access_token"], client.post("/v1/auth/token", data=FORM).json()["access_token"]) * 2:
        assert me(client, f"Bearer {token}").status_code == 200


def test_a_token_of_one_type_is_refused_in_place_of_the_other(client: TestClient, tokens: dict[str, str]) -> None:
    assert me(client, f"Bearer {tokens['refresh_token']}").status_code == 401
    assert refresh(client, tokens["access_token"]).status_code == 401


def test_a_token_with_another_secret_or_expired_is_refused(client: TestClient) -> None:
    claims, now = TokenClaims(UUID(int=1), UUID(int=1), UUID(int=2)), datetime.now(UTC)
    own: TokenSigner = client.app_state["signer"]
    other = TokenSigner("another secret of at least 32 characters", issuer="another")
    for signer, lifetime in ((other, timedelta(hours=1)), (own, timedelta(hours=-1))):
        assert me(client, f"Bearer {signer.sign(TokenType.ACCESS, claims, now, lifetime)}").status_code == 401


@pytest.fixture
def three_on_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts on one account are the limit."""
    monkeypatch.setattr(sessions, "ATTEMPTS_PER_ACCOUNT", 3)


@pytest.mark.usefixtures("tokens", "three_on_one_account")
@pytest.mark.parametrize("known", [True, False])
def test_guessing_a_password_has_to_wait(client: TestClient, *, known: bool) -> None:
    guess = GUESS if known else {**GUESS, "username": "unknown@example.com"}
    responses = [client.post("/v1/auth/token", data=guess) for _ in range(5)]
    assert [response.status_code for response in responses] == [401, 401, 401, 429, 429]
    assert {response.headers["Cache-Control"] for response in responses} == {"no-store"}
    assert 0 < int(responses[-1].headers["Retry-After"]) <= 15 * 60
    right = {**FORM, "username": guess["username"]}
    assert client.post("/v1/auth/token", data=right).status_code == 429


@pytest.mark.usefixtures("tokens", "three_on_one_account")
def test_an_attempt_outside_of_the_window_does_not_count(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "WINDOW", timedelta(seconds=-2))
    assert [client.post("/v1/auth/token", data=GUESS).status_code for _ in range(4)] == [401] * 4


def test_other_requests_go_on_while_a_password_is_hashed(
    client: TestClient, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tokens
    begun, finish = Event(), Event()

    def verify(*_: object) -> bool:
        begun.set()
        return finish.wait(10)

    monkeypatch.setattr(auth, "verify_password", verify)
    with ThreadPoolExecutor(1) as pool:
        login = pool.submit(client.post, "/v1/auth/token", data=FORM)
        assert begun.wait(10)
        assert client.get("/livez").status_code == 200
        finish.set()
        assert login.result().status_code == 200


@pytest.mark.usefixtures("tokens", "three_on_one_account")
def test_concurrent_guesses_are_limited_too(client: TestClient) -> None:
    with ThreadPoolExecutor(10) as pool:
        responses = list(pool.map(lambda _: client.post("/v1/auth/token", data=GUESS).status_code, range(10)))
    assert responses.count(401) <= 3
    assert set(responses) <= {401, 429}


@pytest.mark.usefixtures("tokens", "three_on_one_account")
def test_a_stranger_cannot_keep_the_owner_out(client: TestClient) -> None:
    with TestClient(client.app, client=("192.0.2.1", 50000)) as stranger:
        assert [stranger.post("/v1/auth/token", data=GUESS).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert client.post("/v1/auth/token", data=FORM).status_code == 200


def guess(client: TestClient, forwarded_for: str) -> int:
    """Try to log in with an unknown e-mail address, a new one each time."""
    form = {**GUESS, "username": f"{uuid4()}@example.com"}
    return client.post("/v1/auth/token", data=form, headers={"X-Forwarded-For": forwarded_for}).status_code


@pytest.fixture
def two_from_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts from one address are the limit."""
    monkeypatch.setattr(sessions, "ATTEMPTS_PER_ADDRESS", 2)


@pytest.fixture
def behind_a_proxy(serve: Callable[..., TestClient]) -> TestClient:
    """An application with trusted proxies."""
    return serve(forwarded_allow_ips=["testclient", "10.0.0.0/8"])


@pytest.mark.usefixtures("two_from_one_address", "client")
@pytest.mark.parametrize(
    ("addresses", "elsewhere"),
    [
        (["192.0.2.1"] * 3, "192.0.2.2"),
        (["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"], "2001:db8:0:1::1"),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"], "::ffff:192.0.2.2"),
    ],
)
def test_guessing_from_one_address_has_to_wait(
    behind_a_proxy: TestClient, addresses: list[str], elsewhere: str
) -> None:
    assert [guess(behind_a_proxy, address) for address in addresses] == [401, 401, 429]
    assert guess(behind_a_proxy, elsewhere) == 401


@pytest.mark.usefixtures("two_from_one_address")
def test_the_forwarded_address_of_an_untrusted_client_is_ignored(client: TestClient) -> None:
    with TestClient(client.app, client=("192.0.2.1", 50000)) as other_user:
        assert [guess(other_user, f"198.51.100.{number}") for number in range(3)] == [401, 401, 429]


@pytest.mark.usefixtures("two_from_one_address", "client")
def test_the_forwarded_address_of_a_trusted_proxy_counts(behind_a_proxy: TestClient) -> None:
    for forged in ("198.51.100.1", "198.51.100.2, 10.0.0.8"):
        assert guess(behind_a_proxy, f"{forged}, 192.0.2.1, 10.0.0.7") == 401
    assert guess(behind_a_proxy, "198.51.100.3, 192.0.2.1") == 429
    assert guess(behind_a_proxy, "192.0.2.2") == 401


@pytest.mark.usefixtures("tokens", "three_on_one_account")
def test_a_successful_login_resets_the_failed_ones(client: TestClient) -> None:
    responses = [client.post("/v1/auth/token", data=form) for form in (GUESS, GUESS, FORM, GUESS, GUESS)]
    assert [response.status_code for response in responses] == [401, 401, 200, 401, 401]


def test_the_openapi_schema_has_the_path_of_the_login(client: TestClient) -> None:
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    flow = schemes["OAuth2PasswordBearer"]["flows"]["password"]
    assert flow["tokenUrl"] == "/v1/auth/token"


@pytest.mark.parametrize(("proxies", "warnings"), [([], 1), (["10.0.0.0/8"], 0)])
def test_production_without_a_known_proxy_is_a_warning(
    serve: Callable[..., TestClient], capsys: pytest.CaptureFixture[str], proxies: list[str], warnings: int
) -> None:
    serve(environment="production", forwarded_allow_ips=proxies)
    assert capsys.readouterr().err.count("FORWARDED_ALLOW_IPS is not set") == warnings
