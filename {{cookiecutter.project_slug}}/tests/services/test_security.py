"""Passwords and tokens, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest

from api.services.security import (
    ALGORITHM,
    DUMMY_HASH,
    HASHER,
    LEEWAY,
    InvalidTokenError,
    TokenClaims,
    TokenSigner,
    TokenType,
    hash_password,
    verify_password,
)

SECRET = "a secret of at least 32 characters"
SIGNER = TokenSigner(SECRET, issuer="API")
CLAIMS = TokenClaims(UUID(int=1), UUID(int=2), UUID(int=3))
HOUR = timedelta(hours=1)


def forged(secret: str = SECRET, algorithm: str = ALGORITHM, **changes: object) -> str:
    """Sign claims that differ from good ones; `None` leaves a claim out."""
    now = datetime.now(UTC)
    good: dict[str, Any] = {
        "iss": "API",
        "aud": "access",
        "iat": now,
        "exp": now + HOUR,
        "sub": str(CLAIMS.user_id),
        "sid": str(CLAIMS.session_id),
        "jti": str(CLAIMS.token_id),
    }
    claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return jwt.encode(claims, secret, algorithm)


def test_a_password_is_stored_as_a_salted_argon2id_hash() -> None:
    hashes = {hash_password("a password of a few words") for _ in range(2)}
    assert len(hashes) == 2
    assert all(each.startswith("$argon2id$") for each in hashes)
    assert all(verify_password("a password of a few words", each) for each in hashes)
    assert not any(verify_password("another password", each) for each in hashes)


def test_guessing_a_password_is_costly() -> None:
    assert HASHER.hash("a password of a few words").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_an_unknown_user_takes_as_long_as_a_known_one() -> None:
    assert not HASHER.current_hasher.check_needs_rehash(DUMMY_HASH)


def test_without_a_hash_no_password_matches() -> None:
    assert not verify_password("any password", None)


def test_a_password_is_the_same_from_every_keyboard() -> None:
    assert verify_password("Ångström Ångström", hash_password("A\u030angstro\u0308m \u212bngstr\u00f6m"))


def test_a_token_has_its_claims() -> None:
    assert SIGNER.verify(TokenType.ACCESS, SIGNER.sign(TokenType.ACCESS, CLAIMS, datetime.now(UTC), HOUR)) == CLAIMS
    assert SIGNER.verify(TokenType.ACCESS, forged()) == CLAIMS


def test_the_clocks_of_two_machines_may_differ_by_the_leeway() -> None:
    just_over = datetime.now(UTC) - LEEWAY / 2
    assert SIGNER.verify(TokenType.ACCESS, forged(exp=just_over)) == CLAIMS


def test_a_token_that_was_valid_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token = forged()
    assert SIGNER.verify(TokenType.ACCESS, token) == CLAIMS
    monkeypatch.setattr("api.services.security.LEEWAY", -2 * HOUR)
    with pytest.raises(InvalidTokenError):
        SIGNER.verify(TokenType.ACCESS, token)


def test_a_token_of_a_server_whose_clock_is_ahead_is_valid() -> None:
    assert SIGNER.verify(TokenType.ACCESS, forged(iat=datetime.now(UTC) + HOUR)) == CLAIMS


def test_the_clock_of_this_server_does_not_end_a_session() -> None:
    assert SIGNER.verify(TokenType.REFRESH, forged(aud="refresh", exp=datetime.now(UTC) - 31 * 24 * HOUR)) == CLAIMS


@pytest.mark.parametrize(
    "changes",
    [
        *({claim: None} for claim in ("iss", "aud", "iat", "exp", "sub", "sid", "jti")),
        {"iss": "another"},
        {"aud": "refresh"},
        {"exp": datetime.now(UTC) - HOUR},
        {"sub": "ada"},
        {"sid": "ended"},
        {"jti": "first"},
        {"secret": "another secret of at least 32 characters"},
        {"algorithm": "HS384", "secret": SECRET * 2},
        {"algorithm": "none", "secret": ""},
    ],
)
def test_a_token_with_anything_wrong_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        SIGNER.verify(TokenType.ACCESS, forged(**changes))
