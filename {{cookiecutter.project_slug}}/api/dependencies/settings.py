"""Settings, read once from the environment and from `.env`; the environment wins."""

import json
from pathlib import Path
from secrets import token_urlsafe  # option: auth
from typing import (
    Annotated,
    Literal,
    Self,  # option: auth|database=postgresql
)

from pydantic import (
    BeforeValidator,
    Field,
    IPvAnyNetwork,  # option: auth
    PlainValidator,
    SecretStr,  # option: auth
    StringConstraints,
    ValidationError,
    field_validator,  # option: auth
    model_validator,  # option: auth|database=postgresql
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {
    # option: database=postgresql
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    # end: database=postgresql
    "sqlite": "sqlite+aiosqlite",
}
"""The asynchronous driver that serves each plain database URL."""
# option: auth

SHORTEST_SECRET = 32
"""Characters: RFC 7518, section 3.2, asks for as many bytes."""
# end: auth
# option: auth|database=postgresql

NEEDED_IN_PRODUCTION = {
    "secret_key",  # option: auth
    "database_url",  # option: database=postgresql
}
"""Settings whose defaults are for development alone."""
# end: auth|database=postgresql


def read_database_url(value: str | URL) -> URL:
    """Name the driver in a plain URL.

    Raises:
        ValueError: where the URL can't be read, names another database, or no file.
    """
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):  # the latter for a port that is no number, and it repeats it
        message = "not a database URL"
        raise ValueError(message) from None
    scheme = url.get_backend_name()
    if scheme not in DRIVERS:
        message = f"{scheme}:// is not served here; use one of {', '.join(f'{name}://' for name in DRIVERS)}"
        raise ValueError(message)
    # option: database=postgresql
    if "sslmode" in url.query:  # libpq's name for what asyncpg calls ssl
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    # end: database=postgresql
    if scheme == "sqlite" and url.database in {None, "", ":memory:"}:
        message = "a file is needed: sqlite:///FILE"
        raise ValueError(message)
    return url.set(drivername=DRIVERS[scheme])


# option: auth
def random_secret() -> SecretStr:
    """Make a secret that holds until the process ends, for development."""
    return SecretStr(token_urlsafe(SHORTEST_SECRET))


# end: auth
def read_list(value: object) -> object:
    """Split `a, b`, or read a JSON list; a list stays as it is."""
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


Host = Annotated[str, StringConstraints(to_lower=True, pattern=r"^(\*\.)?[A-Za-z0-9.:_-]+$")]
"""Such as `api.example.com`, or `*.example.com` for all below it."""

Origin = Annotated[str, StringConstraints(to_lower=True, pattern=r"^(\*|https?://[^/?#\s]+)$")]
"""Such as `https://app.example.com`, without a path, or `*` for all."""


class Settings(BaseSettings):
    """Every setting of the backend; the README explains them in a table.

    Raises:
        ValidationError: where a value is wrong, or too weak for production.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Literal["development", "production"] = "development"
    database_url: Annotated[URL, PlainValidator(read_database_url)] | None = None
    sqlite_file: Path = Path("app.db")
    database_pool_size: int = Field(default=20, ge=1)
    database_max_overflow: int = Field(default=0, ge=0)
    database_timeout: float = Field(default=5.0, gt=0)
    secret_key: SecretStr = Field(default_factory=random_secret)  # option: auth
    allowed_hosts: Annotated[list[Host], NoDecode, BeforeValidator(read_list)] = []
    cors_origins: Annotated[list[Origin], NoDecode, BeforeValidator(read_list)] = []
    docs: bool | None = None
    forwarded_allow_ips: Annotated[list[IPvAnyNetwork], NoDecode, BeforeValidator(read_list)] = []  # option: auth
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    # option: auth
    @field_validator("secret_key")
    @classmethod
    def _is_strong(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < SHORTEST_SECRET:
            message = f"at least {SHORTEST_SECRET} characters are needed"
            raise ValueError(message)
        return secret

    # end: auth
    # option: auth|database=postgresql
    @model_validator(mode="after")
    def _production_leaves_nothing_to_defaults(self) -> Self:
        missing = sorted(NEEDED_IN_PRODUCTION - self.model_fields_set)
        if self.in_production and missing:
            message = f"{', '.join(missing).upper()}: needed in production"
            raise ValueError(message)
        return self

    # end: auth|database=postgresql
    @property
    def in_production(self) -> bool:
        """Whether real users are served."""
        return self.environment == "production"

    @property
    def shows_docs(self) -> bool:
        """Whether anybody may read what we can do: in development, unless it is set."""
        return not self.in_production if self.docs is None else self.docs


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SystemExit: naming each wrong setting and its rule, but not its value, which may be secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        complaints = [_complaint(part["loc"], part["msg"]) for part in error.errors()]
        raise SystemExit("\n".join(["The settings are not usable:", *complaints])) from None


def _complaint(location: tuple[int | str, ...], rule: str) -> str:
    return ": ".join([*(str(part).upper() for part in location), rule.removeprefix("Value error, ")])
