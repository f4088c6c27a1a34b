"""Windows: the project is generated there with its virtual environment, and its own tests pass.

`WINDOWS_PYTHON` may name a command that runs a Windows Python on another system, where drive Z: is the root folder.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import NOTHING, Answer, copy_template

COMMAND = os.environ.get("WINDOWS_PYTHON") or (sys.executable if os.name == "nt" else "")
TESTS = r"import subprocess, sys; sys.exit(subprocess.call([r'venv\Scripts\python', '-m', 'pytest', '-q']))"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not COMMAND, reason="there is no Windows here")]


def windows_path(path: Path) -> str:
    """Return the path as the Windows Python sees it."""
    return str(path) if os.name == "nt" else f"Z:{path}".replace("/", "\\")


def windows(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the Windows Python."""
    passed_on = {"WINDOWS_ENV": "\n".join(f"{name}={value}" for name, value in variables.items())}
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=cwd,
        env=os.environ | {"BACKEND_SKIP_SETUP": ""} | (variables if os.name == "nt" else passed_on),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=900,
    )


@pytest.mark.parametrize("answers", [{}, NOTHING], ids=["defaults", "nothing"])
def test_a_project_is_generated_and_its_tests_pass(tmp_path: Path, answers: dict[str, Answer]) -> None:
    template = copy_template(tmp_path / "template")
    given = [f"{name}={value}" for name, value in {**answers, "check_docker": "no"}.items()]
    command = ("-m", "cookiecutter", "--no-input", "-o", windows_path(tmp_path), windows_path(template), *given)
    made = windows(*command, cwd=tmp_path, BACKEND_STRICT="1")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "  venv     ok (" in made.stdout
    project = tmp_path / "budget-api"
    assert not (project / "UNFINISHED").exists()
    tested = windows("-c", TESTS, cwd=project)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_refused_answer_ends_in_a_command_line(tmp_path: Path) -> None:
    template = copy_template(tmp_path / "template")
    command = ("-m", "cookiecutter", "--no-input", "-o", windows_path(tmp_path), windows_path(template))
    refused = windows(*command, "project_slug=Shop", cwd=tmp_path)
    assert refused.returncode == 1
    assert "project_slug = 'Shop'\n  It must " in refused.stderr.replace("\r", "")
    assert "cookiecutter --no-input -o " in refused.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"template"}
