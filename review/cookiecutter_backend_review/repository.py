"""A repository as files: what the rules read. Nothing of it is imported, installed or run."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.resources.abc import Traversable

import yaml

from cookiecutter_backend_review.code import Module, parse

MAX_DEPTH = 8
NOT_THE_PACKAGE = {"alembic", "deploy", "docs", "migrations", "node_modules", "scripts", "tests", "venv"}
PIPELINES = (".github/workflows", ".gitlab-ci.yml")
TEXTS = ("Dockerfile", "requirements.txt", "requirements-dev.txt")

Table = dict[str, object]


class SkippedError(Exception):
    """A rule can't be applied; the message says why, without text of the repository."""


class _Loader(yaml.SafeLoader):
    """Reads unknown tags, such as GitLab's `!reference`, as nothing."""


_Loader.add_multi_constructor("!", lambda *_: None)


def code(text: object) -> str:
    """Quote text of a repository for a report in Markdown, where it could otherwise become markup or HTML."""
    printable = "".join(each if each.isprintable() else "?" for each in str(text)[:200])
    return f"`{printable.replace('`', chr(39))}`"


class Repository:
    """The files of one backend, read once.

    `unreadable` has the reason for each file that can't be read or parsed. `texts` has TEXTS. `package` is the path of the package with
    the backend, usually `api`, or empty; `paths` are those of its Python files, `modules` what could be parsed of them.
    """

    def __init__(self, root: Traversable, folder: Traversable) -> None:
        """Read a backend in a folder of a repository, whose pipelines are at its root."""
        self.folder = folder
        self.unreadable: dict[str, str] = {}
        self.pyproject = as_table(self._parsed("pyproject.toml", tomllib.loads, folder))
        self.cruft = as_table(self._parsed(".cruft.json", json.loads, folder))
        self.pipelines = {name: self._parsed(name, _load_yaml, root) for name in _pipeline_names(root)}
        self.texts = {name: self._text(name, folder) for name in TEXTS}
        self.package = next(self._packages(), "")
        self.paths: list[str] = []
        self.modules: list[Module] = []
        for path, file in _python_files(_at(folder, self.package), self.package) if self.package else ():
            self.paths.append(path)
            self._parse_module(path, file)

    def table(self, *names: str) -> Table:
        """Return a table of `pyproject.toml`, or an empty one."""
        table = self.pyproject
        for name in names:
            table = as_table(table.get(name))
        return table

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""
        return _at(self.folder, name).is_file()

    def content(self, name: str) -> bytes:
        """Return the content of a file; raise OSError or UnicodeDecodeError where it can't be read."""
        return _at(self.folder, name).read_bytes()

    def text(self, name: str) -> str:
        """Return the text of one of TEXTS; raise SkippedError where other rules report that there is none."""
        text = self.texts[name]
        if text is None:
            raise SkippedError(f"{name} is missing or can't be read")
        return text

    def require_readable(self, *names: str) -> None:
        """Raise SkippedError where a file can't be read, which another rule reports."""
        for name in self.unreadable.keys() & set(names):
            raise SkippedError(f"{name} can't be read")

    def _text(self, name: str, folder: Traversable) -> str | None:
        path = _at(folder, name)
        try:
            return path.read_bytes().decode("utf-8-sig") if path.is_file() else None
        except UnicodeDecodeError:
            self.unreadable[name] = "it is not UTF-8"
        except OSError as error:
            self.unreadable[name] = type(error).__name__
        return None

    def _parsed(self, name: str, parser: Callable[[str], object], folder: Traversable) -> object:
        text = self._text(name, folder)
        try:
            return None if text is None else parser(text)
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            self.unreadable[name] = " ".join(str(error).split())
        return None

    def _packages(self) -> Iterator[str]:
        """Find the package: `api`, or the first folder, at the root or in `src/`, that imports FastAPI."""
        if _at(self.folder, "api").is_dir():
            yield "api"
        for prefix in ("src/", ""):
            for folder in _folders(_at(self.folder, prefix.rstrip("/"))):
                if folder.name not in NOT_THE_PACKAGE and any(
                    re.search(rb"^\s*(from|import) fastapi\b", self._bytes(path, file), re.MULTILINE)
                    for path, file in _python_files(folder, prefix + folder.name)
                ):
                    yield prefix + folder.name

    def _parse_module(self, path: str, file: Traversable) -> None:
        prefix = "src/" if self.package.startswith("src/") else ""
        name = path.removeprefix(prefix).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        try:
            self.modules.append(parse(path, name, self._bytes(path, file)))
        except SyntaxError as error:
            self.unreadable[path] = f"line {error.lineno or 1}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            self.unreadable[path] = str(error) or type(error).__name__

    def _bytes(self, path: str, file: Traversable) -> bytes:
        try:
            return file.read_bytes()
        except (OSError, UnicodeDecodeError) as error:
            self.unreadable[path] = type(error).__name__
        return b""


def is_selection(value: object) -> bool:
    """Return whether repo-review takes a value as names of checks: a list, or a table with a reason for each."""
    names = [*value, *value.values()] if isinstance(value, dict) else value
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def as_table(value: object) -> Table:
    """Return a value that is a table, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return a value that is a list, or an empty one."""
    return value if isinstance(value, list) else []


def _pipeline_names(root: Traversable) -> Iterator[str]:
    folder, file = PIPELINES
    names = sorted(each.name for each in _entries(_at(root, folder)))
    yield from (f"{folder}/{name}" for name in names if name.endswith((".yml", ".yaml")))
    if _at(root, file).is_file():
        yield file


def _at(folder: Traversable, name: str) -> Traversable:
    return folder.joinpath(*name.split("/")) if name else folder


def _entries(folder: Traversable) -> list[Traversable]:
    """Return what a folder holds, by name; there is nothing where it is missing or can't be read."""
    try:
        return sorted(folder.iterdir() if folder.is_dir() else [], key=lambda each: each.name)
    except OSError:
        return []


def _folders(folder: Traversable) -> list[Traversable]:
    return [each for each in _entries(folder) if each.name[:1] not in "._" and each.is_dir()]


def _python_files(folder: Traversable, path: str, depth: int = 0) -> Iterator[tuple[str, Traversable]]:
    for each in _entries(folder):
        if each.name.endswith(".py") and each.is_file():
            yield f"{path}/{each.name}", each
    if depth < MAX_DEPTH:
        for each in _folders(folder):
            yield from _python_files(each, f"{path}/{each.name}", depth + 1)


def _load_yaml(text: str) -> object:
    return _Loader(text).get_single_data()
