"""The import rules of the packages in `api`."""

import builtins
import importlib
import logging.config

import pytest
from importlinter.cli import lint_imports

from api.dependencies.migrations import PYPROJECT

API = PYPROJECT.parent / "api"


def files_with(text: str) -> list[str]:
    """Return the files that contain a text, with forward slashes on every system."""
    paths = sorted(path for path in API.rglob("*.py") if text in path.read_text("utf-8"))
    return [path.relative_to(API).as_posix() for path in paths]


def test_each_package_imports_only_what_it_may(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)  # it would disable the loggers of the application
    broken = lint_imports(config_filename=str(PYPROJECT), no_cache=True)
    assert not broken, capsys.readouterr().out


def test_only_the_database_dependency_commits() -> None:
    assert files_with(".commit(") == ["dependencies/database.py"]


def test_services_raise_no_http_errors() -> None:
    assert {name.partition("/")[0] for name in files_with("HTTPException")} == {"dependencies", "routers"}


def test_no_method_of_a_service_shadows_a_builtin() -> None:
    modules = [importlib.import_module(f"api.services.{path.stem}") for path in (API / "services").glob("[!_]*.py")]
    classes = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    own = [each for each in classes if each.__module__.startswith("api.services")]
    assert [each for each in own if vars(each).keys() & {name for name in vars(builtins) if name[0] != "_"}] == []


def test_settings_are_the_only_way_to_the_environment() -> None:
    names = [*files_with("os.environ"), *files_with("getenv(")]
    assert set(names) <= {"dependencies/telemetry.py"}  # the OTEL_* variables are those of an SDK
