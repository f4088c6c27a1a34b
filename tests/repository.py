"""Git repositories of a user called Ada."""

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
