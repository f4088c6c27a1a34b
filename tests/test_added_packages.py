"""What a developer adds to the environment of a generated backend: plugins of pytest, and the command `fastapi`."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import Bake, Project, tool, uv
from web import free_port, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="the programs lie in another folder")]


@pytest.fixture(scope="module")
def extended(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a copy of the environment, with packages that are often added."""
    folder = tmp_path_factory.mktemp("extended") / "venv"
    shutil.copytree(environment.parent, folder, symlinks=True, copy_function=os.link)
    uv("pip", "install", "--python", folder, "pytest-asyncio", "fastapi-cli")
    return folder / tool("python").parent.name


def passing(project: Project, programs: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Run the tests of a project, which must pass."""
    done = project.run(programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_tests_pass_beside_pytest_asyncio(bake: Bake, extended: Path) -> None:
    passing(bake(), extended)


def test_the_tests_pass_beside_a_plugin_that_warns_while_it_is_configured(
    bake: Bake, environment: Path, tmp_path: Path
) -> None:
    plugin = "import warnings\n\n\ndef pytest_configure():\n    warnings.warn('configured', DeprecationWarning)\n"
    (tmp_path / "warner.py").write_text(plugin, encoding="utf-8")
    passing(bake(), environment, "-p", "warner", "tests/test_layers.py", env={"PYTHONPATH": str(tmp_path)})


def test_a_warning_in_a_test_is_an_error(bake: Bake, environment: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "copy")
    shutil.copytree(bake().path, project.path)
    test = "import warnings\n\n\ndef test_it():\n    warnings.warn('old', DeprecationWarning)\n"
    (project.path / "tests" / "test_warning.py").write_text(test, encoding="utf-8")
    done = project.run(environment / "python", "-m", "pytest", "-q", "tests/test_warning.py")
    assert "1 failed" in done.stdout
    except_it = '[tool.pytest]\nfilterwarnings = ["ignore:old"]\n'
    pyproject = project.text("pyproject.toml").replace("[tool.pytest]\n", except_it)
    (project.path / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    passing(project, environment, "tests/test_warning.py")


@pytest.mark.parametrize("command", ["dev", "run"])
def test_the_command_of_fastapi_finds_the_application(bake: Bake, extended: Path, tmp_path: Path, command: str) -> None:
    port = free_port()
    settings = {"SQLITE_FILE": str(tmp_path / "app.db"), "SECRET_KEY": "x" * 32}
    process = subprocess.Popen(
        [extended / "python", "-m", "fastapi", command, f"--port={port}"],
        cwd=bake().path,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert wait_for(f"http://127.0.0.1:{port}/livez").status == 200
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
