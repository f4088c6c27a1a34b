"""Settings, read once from the environment and from `.env`; the environment takes precedence."""

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
    model_validator,  # option: auth|database=postgresql
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL

from api.dependencies.database_url import parse_database_url

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


def parse_list(value: object) -> object:
    """Split `a, b`, or parse a JSON list; anything but a string is returned as it is."""
    if not isinstance(value, str):
        return value
    if value.startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


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
    database_timeout: float = Field(default=5.0, gt=0)
    # option: auth
    secret_key: SecretStr = Field(
        default_factory=lambda: SecretStr(token_urlsafe(MIN_SECRET_LENGTH)), min_length=MIN_SECRET_LENGTH
    )
    # end: auth
    allowed_hosts: Annotated[list[Host], NoDecode, BeforeValidator(parse_list)] = []
    cors_origins: Annotated[list[Origin], NoDecode, BeforeValidator(parse_list)] = []
    docs: bool | None = None
    forwarded_allow_ips: Annotated[list[IPvAnyNetwork], NoDecode, BeforeValidator(parse_list)] = []  # option: auth
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    # option: auth|database=postgresql
    @model_validator(mode="after")
    def _check_required(self) -> Self:
        missing = sorted(REQUIRED_IN_PRODUCTION - self.model_fields_set)
        if self.in_production and missing:
            message = f"{', '.join(missing).upper()}: required in production"
            raise ValueError(message)
        return self

    # end: auth|database=postgresql
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
