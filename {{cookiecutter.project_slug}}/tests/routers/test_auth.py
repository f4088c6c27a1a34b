"""Logins over HTTP."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from api.services import auth
from api.services.security import TokenSigner, TokenType

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


def test_a_login_gives_tokens_that_no_cache_keeps(client: TestClient, tokens: dict[str, str]) -> None:
    answer = client.post("/v1/auth/token", data=FORM)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json().keys() == tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert me(client, f"Bearer {tokens['access_token']}").json()["email"] == FORM["username"]


@pytest.mark.parametrize(
    ("registered", "typed"),
    [
        ("grace@example.com", " GRACE@Example.com "),
        ("gr\u00e1ce@example.com", "gra\u0301ce@example.com"),
        ("grace@b\u00fccher.example", "grace@xn--bcher-kva.example"),
    ],
)
def test_an_address_logs_in_however_it_is_typed(client: TestClient, registered: str, typed: str) -> None:
    client.post("/v1/users", json={"email": registered, "password": FORM["password"]}).raise_for_status()
    assert client.post("/v1/auth/token", data={**FORM, "username": typed}).status_code == 200
    assert client.post("/v1/users", json={"email": typed, "password": FORM["password"]}).status_code == 409


@pytest.mark.parametrize("typed", ["", "ada", "ada@", "\0", "a\0@example.com", "x" * 5000, "' OR 1=1 --", "%00"])
def test_what_is_no_address_is_refused(client: TestClient, typed: str) -> None:
    answer = client.post("/v1/auth/token", data={**FORM, "username": typed})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "username"]


def test_a_password_that_nobody_can_have_is_neither_hashed_nor_repeated(client: TestClient) -> None:
    answer = client.post("/v1/auth/token", data={**FORM, "password": "x" * 129})
    assert answer.status_code == 422
    assert "xxx" not in answer.text


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
        assert me(client, f"Bearer {signer.sign(TokenType.ACCESS, *ids, lifetime)}").status_code == 401


@pytest.fixture
def three_on_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts on one account are many."""
    monkeypatch.setattr(auth, "ATTEMPTS_PER_ACCOUNT", 3)


@pytest.mark.usefixtures("tokens", "three_on_one_account")
@pytest.mark.parametrize("known", [True, False])
def test_guessing_has_to_wait(client: TestClient, *, known: bool) -> None:
    guess = GUESS if known else {**GUESS, "username": "nobody@example.com"}
    answers = [client.post("/v1/auth/token", data=guess) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 15 * 60
    right = {**FORM, "username": guess["username"]}
    assert client.post("/v1/auth/token", data=right).status_code == 429


@pytest.mark.usefixtures("tokens", "three_on_one_account")
def test_an_attempt_is_forgotten_when_the_window_has_passed_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "WINDOW", timedelta(0))
    assert [client.post("/v1/auth/token", data=GUESS).status_code for _ in range(4)] == [401] * 4


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


@pytest.mark.usefixtures("tokens", "three_on_one_account")
def test_guessing_many_at_once_does_not_help(client: TestClient) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/auth/token", data=GUESS).status_code, range(10)))
    assert answers.count(401) <= 3
    assert set(answers) <= {401, 429}


def guess(client: TestClient, forwarded_for: str) -> int:
    """Try another account each time."""
    form = {**GUESS, "username": f"{uuid4()}@example.com"}
    return client.post("/v1/auth/token", data=form, headers={"X-Forwarded-For": forwarded_for}).status_code


@pytest.fixture
def two_from_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two attempts from one address are many."""
    monkeypatch.setattr(auth, "ATTEMPTS_PER_ADDRESS", 2)


@pytest.fixture
def behind_a_proxy(serve: Callable[..., TestClient]) -> TestClient:
    """An application whose proxies say for whom they ask."""
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
def test_nobody_takes_another_address_by_saying_so(client: TestClient) -> None:
    with TestClient(client.app, client=("192.0.2.1", 50000)) as stranger:
        assert [guess(stranger, f"198.51.100.{number}") for number in range(3)] == [401, 401, 429]


@pytest.mark.usefixtures("two_from_one_address", "client")
def test_a_proxy_of_ours_tells_who_asks(behind_a_proxy: TestClient) -> None:
    for forged in ("198.51.100.1", "198.51.100.2, 10.0.0.8"):
        assert guess(behind_a_proxy, f"{forged}, 192.0.2.1, 10.0.0.7") == 401
    assert guess(behind_a_proxy, "198.51.100.3, 192.0.2.1") == 429
    assert guess(behind_a_proxy, "192.0.2.2") == 401


@pytest.mark.usefixtures("tokens", "three_on_one_account")
def test_a_success_forgives_the_failures_before(client: TestClient) -> None:
    answers = [client.post("/v1/auth/token", data=form) for form in (GUESS, GUESS, FORM, GUESS, GUESS)]
    assert [answer.status_code for answer in answers] == [401, 401, 200, 401, 401]


def test_the_documentation_can_log_in(client: TestClient) -> None:
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
    flow = schemes["OAuth2PasswordBearer"]["flows"]["password"]
    assert flow["tokenUrl"] == "/v1/auth/token"
