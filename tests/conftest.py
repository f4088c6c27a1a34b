"""Two doors to the template: `bake` renders it quickly, `generate` runs the real command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from pytest_cookies.plugin import Cookies

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"

Answer = str | bool


@dataclass(frozen=True)
class Project:
    """A generated backend."""

    path: Path

    def has(self, name: str) -> bool:
        """Whether the project holds a file or folder of that name."""
        return (self.path / name).exists()

    def text(self, name: str) -> str:
        """What stands in one of its files."""
        return (self.path / name).read_text(encoding="utf-8")

    def files(self) -> list[str]:
        """The names of all its files, sorted, with forward slashes."""
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())

    def run(self, *command: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside it; the output is text."""
        return run(command, cwd=self.path, env=env)


class Bake(Protocol):
    """Render the template with these answers, without the slow proofs; equal answers share one project."""

    def __call__(self, **answers: Answer) -> Project: ...


Generate = Callable[..., subprocess.CompletedProcess[str]]


def run(
    command: tuple[str | Path, ...], *, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without a keyboard; variables in `env` are added to ours, empty ones removed."""
    merged = {name: value for name, value in {**os.environ, **(env or {})}.items() if value}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=merged,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


@pytest.fixture(scope="session", autouse=True)
def _quiet_surroundings() -> Iterator[None]:
    """No slow proof runs unless a test asks for it, and no run leaves bytecode in the template."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKEND_SKIP_SETUP", "1")
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        yield


@pytest.fixture(scope="session")
def bake(cookies_session: Cookies) -> Bake:
    """Bake once for each set of answers; tests that write into a project copy it first."""
    baked: dict[tuple[tuple[str, Answer], ...], Project] = {}

    def bake(**answers: Answer) -> Project:
        key = tuple(sorted(answers.items()))
        if key not in baked:
            result = cookies_session.bake(extra_context=answers)
            assert result.exit_code == 0, result.exception
            baked[key] = Project(result.project_path)
        return baked[key]

    return bake


@pytest.fixture
def generate(tmp_path: Path) -> Generate:
    """Run the real command line into `tmp_path`; options and `name=value` answers come as they are typed."""

    def generate(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        command = (sys.executable, "-m", "cookiecutter", "--no-input", "-o", tmp_path, ROOT, *arguments)
        return run(command, cwd=tmp_path, env={"COOKIECUTTER_CONFIG": "", "HOME": str(home), **(env or {})})

    return generate
