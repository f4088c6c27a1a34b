"""Settings from the environment and `.env`, and what production requires."""

import os
import subprocess
import sys
from ipaddress import ip_network  # option: auth
from pathlib import Path

import pytest
from pydantic import ValidationError  # option: auth
from sqlalchemy import make_url

from api.dependencies.migrations import PYPROJECT
from api.dependencies.settings import Settings, load_settings

STRONG = "a secret of at least 32 characters"  # option: auth
FIT = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": STRONG,  # option: auth
    "DATABASE_URL": "sqlite:////srv/app.db",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without settings, and a folder without `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_development_needs_no_settings() -> None:
    settings = load_settings()
    assert not settings.in_production
    assert settings.database_url is None


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("ENVIRONMENT", "development", "development"),
        ("DATABASE_URL", "sqlite:////srv/app.db", make_url("sqlite+aiosqlite:////srv/app.db")),
        ("SQLITE_FILE", "other.db", Path("other.db")),
        ("DATABASE_POOL_SIZE", "7", 7),
        ("DATABASE_MAX_OVERFLOW", "3", 3),
        ("DATABASE_TIMEOUT", "2.5", 2.5),
        ("CORS_ORIGINS", "https://a.example, https://b.example,", ["https://a.example", "https://b.example"]),
        ("CORS_ORIGINS", '["https://A.example"]', ["https://a.example"]),
        ("ALLOWED_HOSTS", "API.example.com, *.example.org", ["api.example.com", "*.example.org"]),
        ("DOCS", "yes", True),
        ("FORWARDED_ALLOW_IPS", "::1,10.0.0.0/8", [ip_network("::1/128"), ip_network("10.0.0.0/8")]),  # option: auth
        ("FORWARDED_ALLOW_IPS", "*", [ip_network("0.0.0.0/0"), ip_network("::/0")]),  # option: auth
        ("LOG_LEVEL", "warning", "WARNING"),
        ("DRAIN_SECONDS", "0.5", 0.5),
        ("WEB_CONCURRENCY", "4", 4),
    ],
)
def test_a_setting_is_read_from_the_environment(
    environment: pytest.MonkeyPatch, name: str, value: str, parsed: object
) -> None:
    environment.setenv(name, value)
    assert getattr(load_settings(), name.lower()) == parsed


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_an_empty_setting_counts_as_unset(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "")
    assert load_settings().model_fields_set == set()


def test_the_environment_takes_precedence_over_the_file(environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LOG_LEVEL=ERROR\nDATABASE_POOL_SIZE=7\nUNKNOWN=ignored\n", "utf-8")
    environment.setenv("LOG_LEVEL", "DEBUG")
    settings = load_settings()
    assert (settings.log_level, settings.database_pool_size) == ("DEBUG", 7)


@pytest.mark.parametrize(
    ("plain", "url"),
    [
        ("sqlite:///app.db", "sqlite+aiosqlite:///app.db"),
        ("sqlite+aiosqlite:///app.db", "sqlite+aiosqlite:///app.db"),
        # option: database=postgresql
        ("postgres://user@db/app", "postgresql+asyncpg://user@db/app"),
        ("postgresql://user:p%40ss@db:5433/app", "postgresql+asyncpg://user:p%40ss@db:5433/app"),
        ("postgresql+psycopg2://user@db/app", "postgresql+asyncpg://user@db/app"),
        ("postgresql://user@db/app?ssl=require", "postgresql+asyncpg://user@db/app?sslmode=require"),
        ("postgresql://user:p,w@a,b:5433/app", "postgresql+asyncpg://user:p,w@/app?host=a:5432&host=b:5433"),
        ("postgresql://user@/app?host=/cloudsql/a:b:c", "postgresql+asyncpg://user@/app?host=/cloudsql/a:b:c"),
        # end: database=postgresql
    ],
)
def test_a_plain_database_url_gets_its_driver(environment: pytest.MonkeyPatch, plain: str, url: str) -> None:
    environment.setenv("DATABASE_URL", plain)
    assert load_settings().database_url == make_url(url)


# option: database=postgresql
@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ("sslmode=hunter2", "sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("ssl=true", "sslmode must be one of"),
        ("sslmode=verify-full&sslrootcert=hunter2.pem", "sslrootcert must be the path of a readable PEM file"),
        ("sslmode=require&sslcert=hunter2.pem", "sslcert or sslkey must be the path of a readable PEM file"),
        ("sslmode=require&sslkey=hunter2.pem", "sslcert or sslkey must be the path of a readable PEM file"),
        ("sslrootcert=hunter2.pem", "sslrootcert needs sslmode=require"),
        ("sslnegotiation=direct", "sslnegotiation needs sslmode=require"),
        ("connect_timeout=hunter2", "connect_timeout must be a number of seconds"),
        ("gssencmode=require", "gssencmode must be one of disable, prefer"),
        ("target_session_attrs=hunter2", "target_session_attrs must be one of"),
        ("schema=hunter2", "options=-csearch_path%3DNAME"),
        ("host=a,b", "postgresql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE"),
        ("connection_limit=5", "the parameter connection_limit is not supported"),
        ("password=hunter2", "the parameter password is not supported"),
    ],
)
def test_a_parameter_that_has_no_meaning_is_reported_by_name(
    environment: pytest.MonkeyPatch, parameters: str, rule: str
) -> None:
    environment.setenv("DATABASE_URL", f"postgresql://user:hunter2@db/app?{parameters}")
    with pytest.raises(SystemExit) as stop:
        load_settings()
    assert "DATABASE_URL" in str(stop.value)
    assert rule in str(stop.value)
    assert "hunter2" not in str(stop.value)


# end: database=postgresql
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("DATABASE_URL", "mysql://user:hunter2@db/app"),
        ("DATABASE_URL", "hunter2"),
        ("DATABASE_URL", "sqlite://user:hunter2"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_TIMEOUT", "soon"),
        ("DATABASE_TIMEOUT", "inf"),
        ("ALLOWED_HOSTS", "https://hunter2.example"),
        ("ALLOWED_HOSTS", "*"),
        ("CORS_ORIGINS", "[hunter2"),
        ("CORS_ORIGINS", "https://hunter2.example/"),
        ("CORS_ORIGINS", "hunter2.example"),
        ("DOCS", "hunter2"),
        ("FORWARDED_ALLOW_IPS", "hunter2.example"),  # option: auth
        ("LOG_LEVEL", "LOUD"),
        ("DRAIN_SECONDS", "5s"),
        ("DRAIN_SECONDS", "nan"),
        ("WEB_CONCURRENCY", "0"),
    ],
)
def test_a_wrong_setting_is_reported_without_its_value(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        load_settings()
    assert name in str(stop.value)
    assert "hunter2" not in str(stop.value)


@pytest.mark.parametrize("program", ["alembic current", "uvicorn api.main:app", "python -m api.main", "gunicorn"])
def test_every_program_reports_a_wrong_setting_without_a_traceback(
    environment: pytest.MonkeyPatch, program: str
) -> None:
    if program == "gunicorn" and sys.platform == "win32":
        pytest.skip("gunicorn does not run on Windows")
    environment.setenv("DRAIN_SECONDS", "hunter2")
    environment.setenv("WEB_CONCURRENCY", "" if program == "gunicorn" else "1")
    command = (
        ["gunicorn.conf.py", "api.main:app"]
        if program == "gunicorn"
        else ["-m", *program.removeprefix("python -m ").split()]
    )
    done = subprocess.run(  # noqa: S603 - no shell, fixed words
        [sys.executable, *command], cwd=PYPROJECT.parent, capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert done.returncode != 0
    assert "DRAIN_SECONDS: Input should be a valid number" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_a_file_that_cannot_be_read_is_reported() -> None:
    Path(".env").write_bytes(b"LOG_LEVEL=\xff")
    with pytest.raises(SystemExit, match=r"\.env"):
        load_settings()


@pytest.mark.parametrize("file", ["missing/app.db", "folder/app.db"])
def test_a_file_that_cannot_be_written_is_reported_with_user_and_path(
    environment: pytest.MonkeyPatch, file: str
) -> None:
    Path("folder").mkdir()
    environment.setattr(os, "access", lambda *_: False)  # root may write everywhere
    environment.setenv("SQLITE_FILE", file)
    user = os.getuid() if sys.platform != "win32" else "of this process"
    with pytest.raises(
        SystemExit, match=f"SQLITE_FILE: the user {user} can't write to .*{file[:6]}.*; give it both: chown"
    ):
        load_settings()


def test_production_starts_with_the_required_settings(environment: pytest.MonkeyPatch) -> None:
    for name, value in FIT.items():
        environment.setenv(name, value)
    assert load_settings().in_production


# option: auth|database=postgresql
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),  # option: auth
        ("SECRET_KEY", "hunter2"),  # option: auth
        ("DATABASE_URL", ""),  # option: database=postgresql
    ],
)
def test_production_refuses_a_missing_or_weak_setting(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    for fit, good in FIT.items():
        environment.setenv(fit, good)
    environment.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        load_settings()
    assert name in str(stop.value)
    assert "hunter2" not in str(stop.value)


# end: auth|database=postgresql
def test_all_wrong_settings_are_reported_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LOG_LEVEL", "LOUD")
    environment.setenv("DATABASE_POOL_SIZE", "0")
    with pytest.raises(SystemExit, match=r"(?s)DATABASE_POOL_SIZE.*LOG_LEVEL"):
        load_settings()


# option: auth
def test_an_error_of_the_settings_has_no_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv("SECRET_KEY", "hunter2")
    with pytest.raises(ValidationError) as error:
        Settings()
    assert "hunter2" not in str(error.value)


# end: auth
def test_the_repr_of_settings_has_no_secrets(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SECRET_KEY", STRONG)  # option: auth
    environment.setenv("DATABASE_URL", "sqlite://user:hunter2@/app.db")
    printed = repr(load_settings())
    assert STRONG not in printed  # option: auth
    assert "hunter2" not in printed
