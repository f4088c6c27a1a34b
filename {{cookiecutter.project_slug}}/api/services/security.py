"""Passwords and tokens: hashing and signing, without a database."""

import asyncio
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from threading import BoundedSemaphore
from typing import NamedTuple, TypeVar, TypeVarTuple
from uuid import UUID

import jwt
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from api import TITLE
from api.services.errors import UnauthenticatedError, UnavailableError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ALGORITHM = "HS256"
LEEWAY = timedelta(minutes=1)
"""By how much a server's clock may be ahead of the database's, which dates the tokens."""

MAX_DECODED = 10_000
"""How many tokens a process remembers as decoded; decoding one takes a tenth of the CPU time of a request that reads."""

HASHER = PasswordHash([Argon2Hasher()])
"""Argon2id with the second recommended option of RFC 9106, section 4: 64 MiB of memory."""

DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$fQemvflab6sfpkGaP/bbrQ$ipMSNJNkHeGiZXbZ0f6TjYyiu1ORDEFjpMal/FbhYRU"
"""The hash of a random password. Verifying against it takes as long as against the hash of a user."""

HASHING = ThreadPoolExecutor(2, "hashing")
"""Two passwords are hashed at a time: each takes 64 MiB, and concurrent logins must not exhaust a container's memory."""

HASHING_QUEUE = BoundedSemaphore(16)
"""So many requests with passwords are handled at a time, which takes about a second; more are refused at once."""

COMMON_WORDS = ("password", "passwort", "letmein", "welcome", "iloveyou", "admin", "login", "secret", "changeme")
SEQUENCES = "abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiop asdfghjkl zxcvbnm 1q2w3e4r5t6y7u8i9o0p 1qaz2wsx3edc4rfv"
MIN_CHARACTERS = 5
"""Different characters of a password beside common words, sequences and repetitions."""


class InvalidTokenError(UnauthenticatedError):
    """The token is forged, expired, used already, or of another type."""

    code, title = "invalid-token", "The token is not valid"


class HashingQueueFullError(UnavailableError):
    """Too many passwords wait to be hashed."""

    code, title = "too-many-logins", "Too many logins at the moment"


class TokenType(StrEnum):
    """The audience claim of a token; a token of one type is refused in place of the other."""

    ACCESS = "access"
    REFRESH = "refresh"


class TokenClaims(NamedTuple):
    """What a token says: its user, its session and its own id."""

    user_id: UUID
    session_id: UUID
    token_id: UUID


@contextmanager
def reserve_hashing() -> Iterator[None]:
    """Reserve a place in the queue of passwords to hash, or raise `HashingQueueFullError`."""
    if not HASHING_QUEUE.acquire(blocking=False):
        raise HashingQueueFullError
    try:
        yield
    finally:
        HASHING_QUEUE.release()


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


def is_guessable(password: str, email: str) -> bool:
    """Return whether a password has little beside what is common or expected: NIST SP 800-63B-4, section 3.1.1.2.

    Expected are the e-mail address, its parts and the title of the API.
    """
    rest = _normalize(password).casefold()
    for word in (*f"{email} {email.replace('@', ' ')} {TITLE}".casefold().split(), *COMMON_WORDS):
        rest = rest.replace(word, "") if len(word) >= MIN_CHARACTERS else rest
    known = SEQUENCES + SEQUENCES[::-1]
    pairs = pairwise(f"\0{rest}")
    return len({second for first, second in pairs if first != second and first + second not in known}) < MIN_CHARACTERS


def _normalize(password: str) -> str:
    """Make equal what different keyboards send for the same characters: NIST SP 800-63B-4, section 3.1.1.2."""
    return unicodedata.normalize("NFKC", password)


class TokenSigner:
    """Signs tokens and verifies them, with one secret and for one issuer."""

    def __init__(self, secret: str, issuer: str) -> None:
        self._secret = secret
        self._issuer = issuer
        self._decode_once = lru_cache(MAX_DECODED)(self._decode)

    def sign(self, token_type: TokenType, claims: TokenClaims, now: datetime, lifetime: timedelta) -> str:
        """Create a token that is valid for `lifetime`."""
        ids = {"sub": str(claims.user_id), "sid": str(claims.session_id), "jti": str(claims.token_id)}
        payload = {"iss": self._issuer, "aud": token_type, "iat": now, "exp": now + lifetime, **ids}
        return jwt.encode(payload, self._secret, ALGORITHM)

    def verify(self, token_type: TokenType, token: str) -> TokenClaims:
        """Return the claims of a token, or raise `InvalidTokenError`; a refresh token expires by the database's clock."""
        message = "The token is not valid, or no longer."
        try:
            claims, expires_at = self._decode_once(token_type, token)
        except (jwt.InvalidTokenError, ValueError) as error:
            raise InvalidTokenError(message) from error
        if token_type is TokenType.ACCESS and datetime.now(UTC) >= expires_at + LEEWAY:
            raise InvalidTokenError(message)
        return claims

    def _decode(self, token_type: TokenType, token: str) -> tuple[TokenClaims, datetime]:
        """Verify all that does not change: anything but the expiry, and the issue time, which may be ahead of this clock."""
        claims = jwt.decode(
            token,
            self._secret,
            algorithms=[ALGORITHM],
            issuer=self._issuer,
            audience=token_type,
            options={
                "require": ["iss", "aud", "iat", "exp", "sub", "sid", "jti"],
                "verify_iat": False,
                "verify_exp": False,
            },
        )
        ids = TokenClaims(UUID(claims["sub"]), UUID(claims["sid"]), UUID(claims["jti"]))
        return ids, datetime.fromtimestamp(claims["exp"], UTC)
