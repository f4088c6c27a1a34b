"""Settings, read once from the environment and from `.env`; the environment takes precedence."""

import json
import os
import sys
from pathlib import Path
from secrets import token_urlsafe  # option: auth
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    IPvAnyNetwork,  # option: auth
    PlainValidator,
    SecretStr,  # option: auth
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from api.dependencies.middleware.body_limit import MAX_BUFFERED_BYTES
from api.dependencies.postgresql import connect_arguments, split_hosts  # option: database=postgresql

DRIVERS = {
    # option: database=postgresql
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    # end: database=postgresql
    "sqlite": "sqlite+aiosqlite",
}
"""The asynchronous driver for each scheme of a database URL."""

MAX_SECONDS = 3600
# option: auth

MIN_SECRET_LENGTH = 32
"""Characters: RFC 7518, section 3.2, requires as many bytes."""
# end: auth
# option: auth|database=postgresql

REQUIRED_IN_PRODUCTION = {
    "secret_key",  # option: auth
    "database_url",  # option: database=postgresql
}
"""Settings whose defaults are for development only."""
# end: auth|database=postgresql


def parse_database_url(value: str | URL) -> URL:
    """Return a database URL with its driver.

    Raises:
        ValueError: if it names no supported database, no file, or a parameter or value that the driver does not support.
    """
    try:
        value = split_hosts(value)  # option: database=postgresql
        url = make_url(value)
    except (ArgumentError, ValueError):  # a ValueError for a port that is not a number; its message has the port
        message = "not a database URL"
        raise ValueError(message) from None
    scheme = url.get_backend_name()
    if scheme not in DRIVERS:
        message = f"{scheme}:// is not supported; use one of {', '.join(f'{name}://' for name in DRIVERS)}"
        raise ValueError(message)
    if scheme == "sqlite" and url.database in {None, "", ":memory:"}:
        message = "a file is required: sqlite:///FILE"
        raise ValueError(message)
    # option: database=postgresql
    if scheme != "sqlite":
        url = url.set(query={{"ssl": "sslmode"}.get(name, name): value for name, value in url.query.items()})
        connect_arguments(url)
    # end: database=postgresql
    return url.set(drivername=DRIVERS[scheme])


def parse_list(value: object) -> object:
    """Split `a, b`, or parse a JSON list; anything but a string is returned as it is."""
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


# option: auth
def parse_networks(value: object) -> object:
    """Split a list as `parse_list` does; `*` stands for all addresses."""
    return parse_list("0.0.0.0/0, ::/0" if value == "*" else value)


# end: auth
Host = Annotated[str, StringConstraints(to_lower=True, pattern=r"^(\*\.)?[A-Za-z0-9.:_-]+$")]
"""Such as `api.example.com`, or `*.example.com` for all its subdomains."""

Origin = Annotated[str, StringConstraints(to_lower=True, pattern=r"^(\*|https?://[^/?#\s]+)$")]
"""Such as `https://app.example.com`, without a path, or `*` for all."""


class Settings(BaseSettings):
    """All settings of the application; the README describes each in a table."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Literal["development", "production"] = "development"
    database_url: Annotated[URL, PlainValidator(parse_database_url)] | None = None
    sqlite_file: Path = Path("app.db")
    database_pool_size: int = Field(default=20, ge=1)
    database_max_overflow: int = Field(default=0, ge=0)
    database_timeout: float = Field(default=5.0, gt=0, le=MAX_SECONDS)
    max_body_bytes: int = Field(default=128 * 1024, ge=1, le=MAX_BUFFERED_BYTES)
    # option: auth
    secret_key: SecretStr = Field(
        default_factory=lambda: SecretStr(token_urlsafe(MIN_SECRET_LENGTH)), min_length=MIN_SECRET_LENGTH
    )
    # end: auth
    registration: Literal["open", "closed"] = "open"  # option: auth
    allowed_hosts: Annotated[list[Host], NoDecode, BeforeValidator(parse_list)] = []
    cors_origins: Annotated[list[Origin], NoDecode, BeforeValidator(parse_list)] = []
    docs: bool | None = None
    forwarded_allow_ips: Annotated[list[IPvAnyNetwork], NoDecode, BeforeValidator(parse_networks)] = []  # option: auth
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)] = "INFO"
    drain_seconds: float = Field(default=0.0, ge=0, le=MAX_SECONDS)
    web_concurrency: int = Field(default=1, ge=1)

    # option: auth|database=postgresql
    @model_validator(mode="after")
    def _check_required(self) -> Self:
        missing = sorted(REQUIRED_IN_PRODUCTION - self.model_fields_set)
        if self.in_production and missing:
            message = f"{', '.join(missing).upper()}: required in production"
            raise ValueError(message)
        return self

    # end: auth|database=postgresql
    @model_validator(mode="after")
    def _check_sqlite_file(self) -> Self:
        folder = self.sqlite_file.absolute().parent
        if self.database_url is None and not all(
            os.access(path, os.W_OK) for path in (folder, *folder.glob(f"{self.sqlite_file.name}*"))
        ):
            user = os.getuid() if sys.platform != "win32" else "of this process"
            message = f"SQLITE_FILE: the user {user} can't write to {folder} or to the file there; give it both: chown -R {user} FOLDER"
            raise ValueError(message)
        return self

    @property
    def in_production(self) -> bool:
        """Whether `environment` is `production`."""
        return self.environment == "production"

    @property
    def shows_docs(self) -> bool:
        """Whether the API documentation is public: in development only, unless `docs` is set."""
        return not self.in_production if self.docs is None else self.docs


def load_settings() -> Settings:
    """Read the settings, or raise `SystemExit` with the names and rules of all that are wrong, but not their values."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = (
            (".".join(map(str, each["loc"])).upper(), each["msg"].removeprefix("Value error, "))
            for each in error.errors()
        )
        lines = (f"{name}: {rule}" if name else rule for name, rule in wrong)
        raise SystemExit("\n".join(["The settings are not valid:", *lines])) from None
    except (OSError, UnicodeDecodeError) as error:
        message = f"The settings can't be read from .env: {error}"
        raise SystemExit(message) from None
