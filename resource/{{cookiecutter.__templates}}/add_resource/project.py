"""What a project has already: models, classes and migrations."""

import ast
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LEFT_OVER = "If an interrupted run left it: `git status` shows the rest, `git clean` and `git restore` take it back."


class RefusedError(Exception):
    """The resource can't be added; the message has every reason."""


def refuse(*reasons: str | bool) -> None:
    """Raise a `RefusedError` with the reasons that are not False or empty, if there are any."""
    if found := [str(reason) for reason in reasons if reason]:
        raise RefusedError("\n".join(found))


@dataclass(frozen=True)
class Model:
    """A model: its class, the file that defines it, and the names of its attributes."""

    name: str
    path: str
    attributes: frozenset[str]


@dataclass(frozen=True)
class Project:
    """A project; `models` are found by their tables, and `taken` has the files that define tables and classes."""

    folder: Path
    auth: bool
    models: Mapping[str, Model]
    taken: Mapping[str, str]


def parse(path: Path) -> ast.Module:
    """Parse a file, or raise `RefusedError`."""
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise RefusedError(f"{path} must be Python: {error}. {LEFT_OVER}") from error


def assigned(body: Sequence[ast.stmt]) -> dict[str, object]:
    """Return the names that a body assigns, and the values of those that are literals."""
    found: dict[str, object] = {}
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            value = None
            with suppress(ValueError):
                value = ast.literal_eval(node.value or "None")
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {ast.unparse(target): value for target in targets}
    return found


def read_project(folder: Path) -> Project:
    """Read the project in a folder, or raise `RefusedError` if it is none of the template's."""
    try:
        record = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cookiecutter-backend"]
    except (OSError, KeyError, ValueError) as error:
        raise RefusedError(f"{folder}: there is no pyproject.toml with [tool.cookiecutter-backend].") from error
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
    return Project(folder, bool(record.get("auth")) and "users" in models, models, taken)


def find_head(folder: Path) -> str | None:
    """Return the last revision, None if there is no migration, or raise `RefusedError` if there are several."""
    migrations = [assigned(parse(path).body) for path in folder.glob("migrations/versions/*.py")]
    downs = [each.get("down_revision") for each in migrations]
    followed = {name for down in downs for name in (down if isinstance(down, tuple) else [down])}
    heads = sorted(str(each["revision"]) for each in migrations if each.get("revision") not in {None, *followed})
    refuse(len(heads) > 1 and f"The last migrations are {' and '.join(heads)}. Try: venv/bin/alembic merge heads")
    return heads[0] if heads else None


def tidy(folder: Path, name: str, source: str, rules: str = "I") -> str:
    """Return source with sorted imports and in the project's format, or raise `RefusedError`; ruff applies `rules`."""
    first_party = '--config=lint.isort.known-first-party=["api","tests"]'  # which are not all there yet
    for command in (("check", "--fix", f"--select={rules}", first_party), ("format",)):
        whole = ("ruff", *command, "--no-cache", "--quiet", f"--stdin-filename={name}", "-")
        done = subprocess.run(whole, cwd=folder, input=source, capture_output=True, encoding="utf-8", check=False)
        refuse(done.returncode != 0 and f"{name}: {done.stderr or done.stdout}")
        source = done.stdout
    return source
