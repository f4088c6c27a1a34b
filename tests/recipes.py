"""The recipes of a generated project, how a reader applies them, and what their tests talk to."""

import ast
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from conftest import ROOT, Project
from web import Answer, ask

PAGE = "docs/recipes.md"
FILE = re.compile(r'(?m)^# ([\w./]+)(?:, after "(.*)")?\n')
MIGRATION = ("alembic upgrade head", "alembic revision --autogenerate -m change", "alembic upgrade head")

WEBSOCKET = """
import sys
from websockets.sync.client import connect
url, *messages = sys.argv[1:]
with connect(url) as websocket:
    for message in messages:
        websocket.send(message)
    print(websocket.recv())
"""


def recipes(project: Project) -> dict[str, str]:
    """Return the recipes by their titles."""
    _, *parts = re.split(r"(?m)^## (.*)\n", project.text(PAGE))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def changes(recipe: str) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each changed file, the line before the code or "", and the code."""
    for block in re.findall(r"(?ms)^```python\n(.*?)^```", recipe):
        before, *parts = FILE.split(block)
        assert not before
        yield from zip(parts[::3], (after or "" for after in parts[1::3]), parts[2::3], strict=True)


def apply(project: Project, recipe: str) -> None:
    """Apply a recipe, and run its commands; where it changes a model, write a migration."""
    for command in re.findall(r"(?ms)^```bash\n(.*?)^```", recipe):
        succeed(project, "bash", "-ec", command.replace("make resource", f"make resource template={ROOT}"))
    for name, after, code in changes(recipe):
        path = project.path / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.parent.mkdir(exist_ok=True)
        if after:
            assert text.count(f"{after}\n") == 1, (name, after)
            text = text.replace(f"{after}\n", f"{after}\n{code.rstrip()}\n")
        else:
            text = merge(text, code) if text else f"{code.rstrip()}\n"
        path.write_text(text, encoding="utf-8")
    os.utime(project.path / "requirements-dev.txt", (0, 0))
    succeed(project, "venv/bin/ruff", "check", "--fix", "--quiet", ".")
    succeed(project, "venv/bin/ruff", "format", "--quiet", ".")
    if "api/models/" in recipe:
        for command in MIGRATION:
            succeed(project, *f"venv/bin/{command}".split())


def merge(text: str, code: str) -> str:
    """Merge code into a module: imports at the top, `...` for what is there, a function in place of that of its name."""
    for statement in ast.parse(code).body:
        text = insert(text, ast.parse(text).body, statement, code)
    return text


def insert(text: str, body: list[ast.stmt], statement: ast.stmt, code: str) -> str:
    """Insert a statement of `code` into a module or a class that has this body."""
    names = [name(each) for each in body]
    if isinstance(statement, ast.ClassDef) and statement.name in names:
        assert ast.unparse(statement.body[0]) == "..."
        for member in statement.body[1:]:
            known = ast.parse(text).body[[name(each) for each in ast.parse(text).body].index(statement.name)]
            assert isinstance(known, ast.ClassDef)
            text = insert(text, known.body, member, code)
        return text
    imports = isinstance(statement, ast.Import | ast.ImportFrom)
    kind = (ast.Import, ast.ImportFrom) if imports else (type(statement),)
    last = ([each for each in body[1:] if isinstance(each, kind)] or body)[-1]
    lines = text.splitlines()
    added = code.splitlines()[begin(statement) : statement.end_lineno]
    if name(statement) in names:
        replaced = body[names.index(name(statement))]
        return "\n".join([*lines[: begin(replaced)], *added, *lines[replaced.end_lineno :], ""])
    return "\n".join([*lines[: last.end_lineno], "", *added, *lines[last.end_lineno :], ""])


def begin(statement: ast.stmt) -> int:
    """Return the number of lines before a statement and its decorators."""
    lines: list[int] = [each.lineno for each in (statement, *getattr(statement, "decorator_list", []))]
    return min(lines) - 1


def name(statement: ast.stmt) -> object:
    """Return what a statement defines; others differ from all."""
    defined = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else None
    return getattr(statement, "name", defined) or statement


def succeed(project: Project, *command: str | Path, **env: str) -> str:
    """Run a command that must succeed; return its output."""
    done = project.run(*command, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def call(project: Project, rates: str) -> None:
    """Let the project call the service of the tests."""
    main = project.path / "api/main.py"
    main.write_text(project.text("api/main.py").replace("https://rates.example", rates), encoding="utf-8")


class Rates(BaseHTTPRequestHandler):
    """A service that may be slow to answer about dollars."""

    seconds = 0

    def do_GET(self) -> None:
        if self.path == "/USD":
            time.sleep(self.seconds)
        self.send_response(200)
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(b"1.10")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@dataclass(frozen=True)
class Served:
    """A project that is served, and its SQLite file."""

    project: Project
    url: str
    token: str
    file: Path

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        return ask(method, f"{self.url}/v1{path}", body, self.token)

    def create(self, body: dict[str, str], *amounts: str) -> str:
        """Create a budget with transactions; return its path."""
        created = self.ask("POST", "/budgets", body)
        assert created.status == 201, created.body
        path = f"/budgets/{created.body['id']}"
        for amount in amounts:
            assert self.ask("POST", f"{path}/transactions", {"amount": amount, "description": "Bread"}).status == 201
        return path

    def clear(self) -> None:
        """Delete all budgets."""
        for budget in self.ask("GET", "/budgets").body["items"]:
            assert self.ask("DELETE", f"/budgets/{budget['id']}").status == 204

    def names(self, query: str = "") -> list[str]:
        return [budget["name"] for budget in self.ask("GET", f"/budgets{query}").body["items"]]

    def sql(self, statement: str, *parameters: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(statement, parameters).fetchall()
