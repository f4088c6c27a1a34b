"""The secrets of a new project are in its `.env`, for its owner alone, and nowhere else."""

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT, Bake, Generate, Project, copy_template, run, tool
from engine import needs_engine
from repository import commit, git

# A tool that does nothing but write down all that it is told.
EAVESDROPPER = """#!/bin/sh
{ echo "$0 $*"; /usr/bin/env; /bin/cat; } >> "$HEARD"
"""


def secrets_of(project: Project) -> list[str]:
    """The secret values in `.env`."""
    found = re.findall(r"^[A-Z_]+=(.{40,})$", project.text(".env"), flags=re.MULTILINE)
    assert len(set(found)) == 2
    return found


def holders(folder: Path, secrets: list[str]) -> Iterator[Path]:
    """Yield the files that hold a secret."""
    for path in folder.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            yield path


@pytest.mark.skipif(os.name == "nt", reason="the tools are shell scripts")
def test_no_record_log_output_argument_or_variable_holds_a_secret(
    generate: Generate, tmp_path: Path, home: Path
) -> None:
    tools, temporary = tmp_path / "tools", tmp_path / "temporary"
    tools.mkdir()
    temporary.mkdir()
    for name in ("docker", "uv"):
        (tools / name).write_text(EAVESDROPPER, encoding="utf-8")
        (tools / name).chmod(0o755)
    surroundings = {
        "BACKEND_SKIP_SETUP": "",
        "HEARD": str(tmp_path / "heard"),
        "PATH": str(tools),
        "TMPDIR": str(temporary),
    }
    done = generate("--verbose", "--debug-file", str(tmp_path / "log"), env=surroundings)
    assert done.returncode == 0, done.stderr
    project = Project(tmp_path / "budget-api")
    secrets = secrets_of(project)
    assert list(home.rglob("*.json"))
    assert (tmp_path / "log").stat().st_size
    heard = (tmp_path / "heard").read_text(encoding="utf-8")
    assert "/uv venv " in heard
    assert "/docker buildx build " in heard
    assert list(holders(tmp_path, secrets)) == [project.path / ".env"]
    assert not [secret for secret in secrets if secret in done.stdout + done.stderr]
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("mask", ["000", "077"])
def test_the_settings_are_for_their_owner_alone(tmp_path: Path, home: Path, mask: str) -> None:
    command = ("sh", "-c", f'umask {mask} && "$@"', "sh", sys.executable, "-m", "cookiecutter", "--no-input", ROOT)
    done = run(command, cwd=tmp_path, env={"HOME": str(home)})
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((tmp_path / "budget-api" / ".env").stat().st_mode) == 0o600


def test_every_project_has_secrets_of_its_own(bake: Bake) -> None:
    one, other = secrets_of(bake()), secrets_of(bake(project_slug="other"))
    assert set(one).isdisjoint(other)


def test_git_ignores_them(bake: Bake, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(bake().path, project.path)
    git(project.path, "init", "--quiet")
    assert git(project.path, "check-ignore", ".env") == ".env"
    git(project.path, "add", ".")
    tracked = git(project.path, "ls-files").split()
    assert "README.md" in tracked
    secrets = secrets_of(project)
    assert not [name for name in tracked for secret in secrets if secret in project.text(name)]


@pytest.mark.docker
@needs_engine
def test_docker_is_not_sent_them(bake: Bake, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(bake().path, project.path)
    (project.path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n", encoding="utf-8")
    done = project.run("docker", "buildx", "build", "--output", tmp_path / "sent", ".")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sent" / "api" / "main.py").exists()
    assert list(holders(tmp_path / "sent", secrets_of(project))) == []


def test_the_record_of_cruft_does_not_hold_them(tmp_path: Path, home: Path) -> None:
    template = copy_template(tmp_path / "template")
    git(template, "init", "--quiet")
    commit(template, "first")
    done = run((tool("cruft"), "create", "--no-input", template), cwd=tmp_path, env={"HOME": str(home)})
    assert done.returncode == 0, done.stderr
    project = Project(tmp_path / "budget-api")
    assert project.has(".cruft.json")
    assert list(holders(tmp_path, secrets_of(project))) == [project.path / ".env"]
