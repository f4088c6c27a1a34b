"""Passwords and tokens: hashing and signing, without a database."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar, TypeVarTuple
from uuid import UUID

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from api.services.errors import UnauthenticatedError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ALGORITHM = "HS256"
LEEWAY = timedelta(seconds=10)
"""By how much the clocks of two machines may differ."""

HASHER = PasswordHash([Argon2Hasher()])
"""Argon2id with the second recommended option of RFC 9106, section 4: 64 MiB of memory."""

DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$fQemvflab6sfpkGaP/bbrQ$ipMSNJNkHeGiZXbZ0f6TjYyiu1ORDEFjpMal/FbhYRU"
"""The hash of a random password. Verifying against it takes as long as against the hash of a user."""

HASHING = ThreadPoolExecutor(2, "hashing")
"""Two passwords are hashed at a time: each takes 64 MiB, and concurrent logins must not exhaust a container's memory."""


class InvalidTokenError(UnauthenticatedError):
    """The token is forged, expired, used already, or of another type."""

    code, title = "invalid-token", "The token is not valid"


class TokenType(StrEnum):
    """The audience claim of a token; a token of one type is refused in place of the other."""

    ACCESS = "access"
    REFRESH = "refresh"


async def hash_in_thread(function: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Hash or verify a password in a thread, so that the event loop goes on."""
    return await asyncio.get_running_loop().run_in_executor(HASHING, function, *arguments)


def hash_password(password: str) -> str:
    """Hash a password with Argon2id, which is slow on purpose: it takes tens of milliseconds of CPU time."""
    return HASHER.hash(_normalize(password))


def verify_password(password: str, password_hash: str | None) -> bool:
    """Return whether a password has this hash; without a hash, return False after the same time."""
    matches = HASHER.verify(_normalize(password), password_hash or DUMMY_HASH)
    return matches and password_hash is not None


def _normalize(password: str) -> str:
    """Make equal what different keyboards send for the same characters: NIST SP 800-63B, section 3.1.1.2."""
    return unicodedata.normalize("NFKC", password)


class TokenSigner:
    """Signs tokens and verifies them, with one secret and for one issuer."""

    def __init__(self, secret: str, issuer: str) -> None:
        self._secret = secret
        self._issuer = issuer

    def sign(self, token_type: TokenType, subject: UUID, token_id: UUID, lifetime: timedelta) -> str:
        """Create a token that is valid for `lifetime`."""
        now = datetime.now(UTC)
        claims = {"iss": self._issuer, "aud": token_type, "iat": now, "exp": now + lifetime}
        return jwt.encode({**claims, "sub": str(subject), "jti": str(token_id)}, self._secret, ALGORITHM)

    def verify(self, token_type: TokenType, token: str) -> tuple[UUID, UUID]:
        """Return the subject and the id of a token, or raise `InvalidTokenError`."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=token_type,
                leeway=LEEWAY,
                options={"require": ["iss", "aud", "iat", "exp", "sub", "jti"]},
            )
            return UUID(claims["sub"]), UUID(claims["jti"])
        except (jwt.InvalidTokenError, ValueError) as error:
            message = "The token is not valid, or no longer."
            raise InvalidTokenError(message) from error
