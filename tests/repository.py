"""Git repositories of a user called Ada, and a stand-in for the client of GitHub in their workflows."""

import os
from collections.abc import Mapping
from pathlib import Path

from conftest import run


def git(folder: Path, *command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command of git that must succeed; give what it prints."""
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main")
    done = run(("git", *identity, *command), cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def commit(repository: Path, message: str) -> str:
    """Commit everything; give the commit."""
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(repository, "rev-parse", "HEAD")


def imitated_gh(folder: Path) -> dict[str, str]:
    """Put a `gh` on the PATH that notes what it is told, and knows no pull request."""
    gh = folder / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\necho "$*" >> "{folder}/said"\ntest "$2" != list || echo 0\n', encoding="utf-8")
    gh.chmod(0o755)
    return {"PATH": f"{gh.parent}{os.pathsep}{os.environ['PATH']}"}


def said(folder: Path) -> list[str]:
    """Return what `gh` was told since it was asked last."""
    lines = (folder / "said").read_text(encoding="utf-8").splitlines()
    (folder / "said").unlink()
    return lines
