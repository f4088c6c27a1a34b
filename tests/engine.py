"""The Docker engine of this machine, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import run


def attempt(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a docker command that may fail."""
    return run(("docker", *arguments), cwd=Path.cwd())


def docker(*arguments: str | Path) -> str:
    """Run a docker command that must succeed; give what it prints."""
    done = attempt(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def missing_engine() -> str | None:
    """Say why nothing can be run here."""
    if not shutil.which("docker"):
        return "docker is not installed"
    try:
        command = ["docker", "info", "--format", "{{.OSType}}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer"
    return None if done.stdout.strip() == "linux" else "no Docker engine runs Linux containers"


MISSING_ENGINE = missing_engine()
needs_engine = pytest.mark.skipif(MISSING_ENGINE is not None, reason=str(MISSING_ENGINE))
