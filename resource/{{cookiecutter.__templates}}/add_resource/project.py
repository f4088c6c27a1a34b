"""What a project has already, and new lines in its files."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LEFT_OVER = "If an interrupted run has left it, `git restore` and `git clean` take back what `git status` shows."


class RefusedError(Exception):
    """The resource can't be added; the message has every reason."""


def refuse(*reasons: str) -> None:
    """Raise a `RefusedError` if there are reasons."""
    if reasons:
        raise RefusedError("\n".join(reasons))


@dataclass(frozen=True)
class Model:
    """A model: its class, the file that defines it, and the names of its attributes."""

    name: str
    path: str
    attributes: frozenset[str]

    @property
    def module(self) -> str:
        """The module that defines it."""
        return self.path.removesuffix(".py").replace("/", ".")


@dataclass(frozen=True)
class Project:
    """A project; `models` are found by their tables, and `taken` has the files that define tables and classes."""

    folder: Path
    auth: bool
    models: Mapping[str, Model]
    taken: Mapping[str, str]

    def referable(self) -> list[str]:
        """Return the tables that a field can refer to: with `auth`, those whose rows belong to a user."""
        return [table for table, each in self.models.items() if not self.auth or "owner_id" in each.attributes]


def parse(path: Path) -> ast.Module:
    """Parse a file, or raise `RefusedError`."""
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        message = f"{path} must be Python: {error}. {LEFT_OVER}"
        raise RefusedError(message) from error


def assigned(body: Sequence[ast.stmt]) -> dict[str, object]:
    """Return the names that a body assigns, and the values of those that are literals."""
    found: dict[str, object] = {}
    for node in body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                found[name] = None
                with suppress(ValueError):
                    found[name] = ast.literal_eval(value or "None")
    return found


def read_project(folder: Path) -> Project:
    """Read the project in a folder, or raise `RefusedError` if it is none of the template's."""
    try:
        record = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cookiecutter-backend"]
    except (OSError, KeyError, ValueError) as error:
        message = f"{folder}: there is no pyproject.toml with [tool.cookiecutter-backend]."
        raise RefusedError(message) from error
    models: dict[str, Model] = {}
    taken: dict[str, str] = {}
    for path in sorted(folder.glob("api/**/*.py")):
        name = path.relative_to(folder).as_posix()
        for node in [node for node in parse(path).body if isinstance(node, ast.ClassDef)]:
            attributes = assigned(node.body)
            taken[node.name] = name
            if table := str(attributes.get("__tablename__", "")):
                taken[table] = name
                models[table] = Model(node.name, name, frozenset(attributes))
    return Project(folder, bool(record.get("auth")), models, taken)


def find_head(folder: Path) -> str | None:
    """Return the last revision, None if there is no migration, or raise `RefusedError` if there are several."""
    migrations = [assigned(parse(path).body) for path in folder.glob("migrations/versions/*.py")]
    followed: set[object] = {None}
    for down in (each.get("down_revision") for each in migrations):
        followed |= {*down} if isinstance(down, tuple) else {down}
    heads = sorted(str(head) for head in {each.get("revision") for each in migrations} - followed)
    refuse(*[f"The last migrations are {', '.join(heads)}. Try: venv/bin/alembic merge heads"][: len(heads) - 1 > 0])
    return heads[0] if heads else None


def tidy(folder: Path, name: str, source: str, rules: str = "I") -> str:
    """Return source with sorted imports and in the project's format, or raise `RefusedError`; ruff applies `rules`."""
    folders = (folder / "venv/bin", folder / "venv/Scripts", Path(sys.executable).parent)
    ruff = shutil.which("ruff", path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    refuse(*([] if ruff else ["ruff is missing. Try: make venv/.installed"]))
    first_party = '--config=lint.isort.known-first-party=["api","tests"]'  # which are not all there yet
    for command in (("check", "--fix", f"--select={rules}", first_party), ("format",)):
        whole = (str(ruff), *command, "--no-cache", "--quiet", f"--stdin-filename={name}", "-")
        done = subprocess.run(whole, cwd=folder, input=source, capture_output=True, encoding="utf-8", check=False)
        refuse(*([f"{name}: {done.stderr or done.stdout}"] if done.returncode else []))
        source = done.stdout
    return source
