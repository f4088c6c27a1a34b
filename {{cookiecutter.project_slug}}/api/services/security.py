"""Passwords and tokens, without a database: what is hashed, what is signed, what is believed."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, TypeVarTuple
from uuid import UUID

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from api.services.errors import UnauthenticatedError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ALGORITHM = "HS256"
LEEWAY = timedelta(seconds=10)
"""How far the clocks of two machines may differ."""

HASHER = PasswordHash([Argon2Hasher()])
"""Argon2id, as costly as RFC 9106, section 4, recommends where memory is short."""

HASH_OF_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$fQemvflab6sfpkGaP/bbrQ$ipMSNJNkHeGiZXbZ0f6TjYyiu1ORDEFjpMal/FbhYRU"
"""Of a password that was never written down; made beforehand, since no start shall wait for it."""

HASHING = ThreadPoolExecutor(2, "hashing")
"""So many are hashed at once: each takes 64 MiB, and a crowd must not cost more memory than a small container has."""


class InvalidTokenError(UnauthenticatedError):
    """The token is forged, expired, spent, or for another purpose."""

    code = "invalid-token"
    title = "The token is not valid"


class Purpose(StrEnum):
    """What a token is good for; one for another purpose is refused."""

    ACCESS = "access"
    REFRESH = "refresh"


async def in_turn(function: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Hash or verify beside the event loop, when it is its turn."""
    return await asyncio.get_running_loop().run_in_executor(HASHING, function, *arguments)


def hash_password(password: str) -> str:
    """Hash a password with Argon2id; this takes tens of milliseconds of a processor, on purpose."""
    return HASHER.hash(_normal(password))


def verify_password(password: str, password_hash: str | None) -> bool:
    """Compare a password with a hash; without one, it takes as long and fails."""
    matches = HASHER.verify(_normal(password), password_hash or HASH_OF_NOBODY)
    return matches and password_hash is not None


def _normal(password: str) -> str:
    """Let a password be the same from every keyboard: NIST SP 800-63B, section 3.1.1.2."""
    return unicodedata.normalize("NFKC", password)


class TokenSigner:
    """Signs tokens and reads them again, with one secret and for one issuer."""

    def __init__(self, secret: str, issuer: str) -> None:
        self._secret = secret
        self._issuer = issuer

    def sign(self, purpose: Purpose, subject: UUID, token_id: UUID, lifetime: timedelta) -> str:
        """Make a token that is believed for `lifetime`."""
        now = datetime.now(UTC)
        claims = {
            "iss": self._issuer,
            "aud": purpose,
            "iat": now,
            "exp": now + lifetime,
            "sub": str(subject),
            "jti": str(token_id),
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    def read(self, purpose: Purpose, token: str) -> tuple[UUID, UUID]:
        """Give the ids of whom or what the token is about, and of the token.

        Raises:
            InvalidTokenError: where any claim is missing or wrong.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=purpose,
                leeway=LEEWAY,
                options={"require": ["iss", "aud", "iat", "exp", "sub", "jti"]},
            )
            return UUID(claims["sub"]), UUID(claims["jti"])
        except (jwt.InvalidTokenError, ValueError) as error:
            message = "The token is not valid, or no longer."
            raise InvalidTokenError(message) from error
