"""What is compared: each backend, the server that it ships with, its database, and the same four routes."""

import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from conftest import Project, command_line, installed, path_with_uv, run, tool
from postgresql import PostgreSQL
from serving import APP, image_command, migrate

HERE = Path(__file__).parent
PYTHON = "3.13"
"""The default answer."""

ROWS = 1_000
IDS = [UUID(int=number + 1) for number in range(ROWS)]
ROUTES = {"health": "health", "one": "one row", "page": "page of 20", "create": "create"}
PUBLISHED = {"fastapi-template": "6.1.2", "fastapi-fullstack": "0.2.21"}
"""The generators and their versions. No lock holds both, since they need different versions of cookiecutter."""

BUDGETS = f"""
TRUNCATE budgets CASCADE;
INSERT INTO budgets (id, name, "limit", spent, transaction_count{{columns}})
SELECT lpad(to_hex(n), 32, '0')::uuid, 'Budget ' || n, 50000, 0, 0{{values}} FROM generate_series(1, {ROWS}) n
"""


class Backend(NamedTuple):
    """A backend and its requests.

    `{port}` is replaced in the command and in the settings. `rows` fills the table again. `requests` has the request
    lines of each route, `METHOD PATH BODY`, and `work` what a request does. `users` has the paths that register a user and log in.
    `image` is the folder with the Dockerfile and the stage to build.
    """

    command: Sequence[str | Path]
    folder: Path
    settings: Mapping[str, str]
    database: str
    rows: str
    requests: Mapping[str, Sequence[str]]
    work: Mapping[str, str]
    users: tuple[str, str] | None = None
    image: tuple[Path, str] | None = None

    @property
    def health(self) -> str:
        """The path of the health route."""
        return self.requests["health"][0].split()[1]

    @property
    def packages(self) -> Path:
        """The folder of the installed packages."""
        [packages] = Path(self.command[0]).parent.parent.glob("lib/python*/site-packages")
        return packages


@cache
def interpreter() -> str:
    """Find that Python, or else take the one that runs this."""
    command = (tool("uv"), "python", "find", "--system", "--no-python-downloads", PYTHON)
    return run(command, cwd=HERE).stdout.strip() or sys.executable


def bake(folder: Path, *answers: str) -> Project:
    """Generate a backend."""
    folder.mkdir()
    done = run(command_line(folder, *answers), cwd=folder, env={"BACKEND_SKIP_SETUP": "1"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Project(folder / "budget-api")


def all_backends(folder: Path, server: PostgreSQL) -> dict[str, Backend]:
    """Make everything that is compared."""
    plain = generated(folder, server, auth=False)
    return {
        "limit": hand_written("limit", plain, {"health": "nothing", "page": "total", "create": "no validation"}),
        "generated": plain,
        "typical": hand_written("typical", plain, {"health": "access log", "page": "total", "create": "refresh"}),
        "generated, auth": generated(folder, server, auth=True),
        "fastapi-template": fastapi_template(server),
        "fastapi-fullstack": fastapi_fullstack(server),
    }


def generated(folder: Path, server: PostgreSQL, *, auth: bool) -> Backend:
    """The generated backend with its default answers, or without `auth`, as its image starts it."""
    project = bake(folder / f"auth-{auth}", f"auth={auth}", "ci=none")
    programs = installed(project.path / "requirements.txt", interpreter())
    url = migrate(project, programs, server.create_database())
    program, *arguments = image_command(project)
    owner = "token, user's own; " if auth else ""
    return Backend(
        command=[programs / program, *arguments, "--bind=127.0.0.1:{port}"],
        folder=project.path,
        settings={"ENVIRONMENT": "production", "SECRET_KEY": secrets.token_urlsafe(32), "DATABASE_URL": url},
        database=url,
        rows=BUDGETS.format(columns=", owner_id", values=", (SELECT id FROM users)")
        if auth
        else BUDGETS.format(columns="", values=""),
        requests=requests("/livez", "/v1/budgets/{id}", "/v1/budgets?limit=20", "POST /v1/budgets", limit="500.00"),
        work={
            "health": "request id, security headers",
            "one": f"the same, JSON log line; {owner}404",
            "page": f"the same, JSON log line; {owner}ordered, total",
            "create": f"the same, JSON log line; {owner}unique name, 201, Location",
        },
        users=("/v1/users", "/v1/auth/token") if auth else None,
        image=(project.path, ""),
    )


def hand_written(name: str, backend: Backend, work: Mapping[str, str]) -> Backend:
    """An application of this folder, in the place of a generated backend: same server, same database."""
    programs = installed(HERE / "requirements.txt", interpreter())
    program, *arguments = backend.command
    return backend._replace(
        command=[programs / Path(program).name, *(f"{name}:app" if each == APP else each for each in arguments)],
        settings={**backend.settings, "PYTHONPATH": str(HERE)}
        | ({"GUNICORN_CMD_ARGS": "--access-logfile=-"} if name == "typical" else {}),
        work={"one": "the same; 404", **work},
        image=None,
    )


def fastapi_template(server: PostgreSQL) -> Backend:
    """`fastapi-template` with SQLAlchemy and gunicorn; it has no route for one row."""
    folder = generate(
        *("fastapi-template", "fastapi_template", "--quiet", "--name", "shop", "--api-type", "rest", "--ci", "none"),
        *("--db", "postgresql", "--orm", "sqlalchemy", "--migrations", "--dummy", "--routers", "--gunicorn"),
    )
    database = server.create_database()
    names = {"host": "hostname", "port": "port", "user": "username"}
    settings = {f"SHOP_DB_{name.upper()}": str(getattr(urlsplit(database), of)) for name, of in names.items()}
    settings |= {"SHOP_DB_BASE": urlsplit(database).path[1:], "SHOP_RELOAD": "False", "SHOP_PORT": "{port}"}
    upgrade(folder, settings)
    items = "/api/dummy/?limit="
    return Backend(
        command=[folder / ".venv/bin/python", "-m", "shop"],
        folder=folder,
        settings=settings,
        database=database,
        rows="TRUNCATE dummy_model RESTART IDENTITY; INSERT INTO dummy_model (name) "
        f"SELECT 'Budget ' || n FROM generate_series(1, {ROWS}) n",
        requests=requests("/api/health", f"{items}1", f"{items}20", "PUT /api/dummy/"),
        work={
            "health": "access log",
            "one": "the same; a list with limit=1",
            "page": "the same; no order, no total",
            "create": "the same; 200 before the commit, returns nothing",
        },
        image=(folder, "prod"),
    )


def fastapi_fullstack(server: PostgreSQL) -> Backend:
    """`fastapi-fullstack` with its example resource, without front end, AI and Logfire."""
    folder = generate(
        *("fastapi-fullstack", "fastapi-fullstack", "create", "shop", "--database", "postgresql"),
        *("--orm", "sqlalchemy", "--ai-framework", "none", "--frontend", "none", "--example-resource", "--no-logfire"),
    )
    database = server.create_database()
    names = {"host": "hostname", "port": "port", "user": "username"}
    settings = {f"POSTGRES_{name.upper()}": str(getattr(urlsplit(database), of)) for name, of in names.items()}
    settings |= {"POSTGRES_DB": urlsplit(database).path[1:], "ENVIRONMENT": "production"}
    settings |= {"SECRET_KEY": secrets.token_hex(32), "API_KEY": secrets.token_hex(32), "CORS_ORIGINS": "[]"}
    upgrade(folder / "backend", settings)
    run_module = ("-m", "cli.commands", "server", "run", "--host", "127.0.0.1", "--port", "{port}")
    return Backend(
        command=[folder / "backend/.venv/bin/python", *run_module],
        folder=folder / "backend",
        settings=settings,
        database=database,
        rows="TRUNCATE items; INSERT INTO items (id, owner_id, name) "
        "SELECT lpad(to_hex(n), 32, '0')::uuid, (SELECT id FROM users LIMIT 1), 'Budget ' || n "
        f"FROM generate_series(1, {ROWS}) n",
        requests=requests("/api/v1/health", "/api/v1/items/{id}", "/api/v1/items?limit=20", "POST /api/v1/items"),
        work={
            "health": "access log, request id, CORS",
            "one": "the same; token, user selected; 404",
            "page": "the same; token, user selected; ordered, total",
            "create": "the same; token, user selected; 201 before the commit",
        },
        users=("/api/v1/auth/register", "/api/v1/auth/login"),
        image=(folder / "backend", ""),
    )


def requests(health: str, one: str, page: str, create: str, **body: str) -> dict[str, list[str]]:
    """The request lines of each route; the client numbers the names."""
    members = "".join(f', "{name}": "{value}"' for name, value in body.items())
    return {
        "health": [f"GET {health}"],
        "one": [f"GET {one.format(id=each)}" for each in IDS],
        "page": [f"GET {page}"],
        "create": [f'{create} {{"name": "New {{n}}"{members}}}'],
    }


def generate(package: str, *command: str) -> Path:
    """Generate a project and install its packages, once for each version and Python; return its folder."""
    version = PUBLISHED[package]
    folder = Path(sys.prefix) / f"{package}-{version}"
    environment = {"UV_PYTHON": interpreter(), "UV_COMPILE_BYTECODE": "1", "VIRTUAL_ENV": "", "PATH": path_with_uv()}
    marker = folder / ".installed"
    if not marker.exists() or marker.read_text(encoding="utf-8") != interpreter():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        check((tool("uv"), "tool", "run", "--from", f"{package}=={version}", *command), folder, environment)
        [project] = folder.glob("shop/**/pyproject.toml")
        check((tool("uv"), "sync", "--no-dev"), project.parent, environment)
        marker.write_text(interpreter(), encoding="utf-8")
    return folder / "shop"


def upgrade(folder: Path, settings: Mapping[str, str]) -> None:
    """Migrate the database of a published generator's project."""
    number = {name: value for name, value in settings.items() if value != "{port}"}
    check((folder / ".venv/bin/alembic", "upgrade", "head"), folder, number)


def check(command: tuple[str | Path, ...], folder: Path, environment: Mapping[str, str]) -> None:
    """Run a command, or raise `RuntimeError` with the end of what it printed."""
    done = run(command, cwd=folder, env=environment)
    if done.returncode:
        message = f"{' '.join(map(str, command))}: {(done.stdout + done.stderr)[-2000:]}"
        raise RuntimeError(message)
