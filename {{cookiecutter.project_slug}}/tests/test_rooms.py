"""The laws of the rooms."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from api.dependencies.migrations import PYPROJECT

ROOMS = PYPROJECT.parent / "api"


def files_with(text: str) -> list[str]:
    return [str(path.relative_to(ROOMS)) for path in sorted(ROOMS.rglob("*.py")) if text in path.read_text("utf-8")]


def test_each_room_uses_only_what_it_may(capsys: pytest.CaptureFixture[str]) -> None:
    broken = lint_imports(config_filename=str(PYPROJECT), no_cache=True)
    assert not broken, capsys.readouterr().out


def test_only_the_unit_of_work_commits() -> None:
    assert files_with(".commit(") == ["dependencies/database.py"]


def test_the_rules_of_the_business_raise_no_errors_of_http() -> None:
    assert {Path(name).parts[0] for name in files_with("HTTPException")} == {"dependencies", "routers"}


def test_only_dependencies_read_the_environment() -> None:
    assert files_with("os.environ") + files_with("getenv(") == []
