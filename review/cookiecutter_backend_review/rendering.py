"""The template itself: a clone of it, and what it renders, both kept between runs."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from cookiecutter_backend_review.repository import SkippedError

DISTRIBUTION = "cookiecutter-backend-review"
READ_BY_COOKIECUTTER = ("cookiecutter.json", "hooks", "{{cookiecutter.project_slug}}")
SECONDS = 120
GIT_VARIABLES = {"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"}  # hooks of git set them, for another repository

PROJECT_OWNED = (
    *(".cruft.json", ".env", ".env.example", ".github/dependabot.yml", ".gitignore", "AGENTS.md", "README.md"),
    *(
        "compose.yaml",
        "pyproject.toml",
        "requirements*.txt",
        "api/main.py",
        "api/dependencies/settings.py",
        "*/__init__.py",
    ),
    *("*/budgets.py", "*/transactions.py", "*/users.py", "deploy/overlays/*", "migrations/versions/*", "tests/*"),
)
"""The rendered files that a project is expected to change; all others are owned by the template."""


class Template(NamedTuple):
    """A repository of the template, and the revision of its newest release."""

    folder: Path
    release: str


def open_template() -> Template:
    """Return the template that BACKEND_TEMPLATE names; raise SkippedError where there is none."""
    template = _open(os.environ.get("BACKEND_TEMPLATE", ""), os.environ.get("BACKEND_RELEASE", ""))
    if isinstance(template, str):
        raise SkippedError(template)
    return template


@functools.cache
def _open(address: str, release: str) -> Template | str:
    """Open a template once for all repositories: a path as it is, an address as a clone that is kept and fetched."""
    if not address:
        return "BACKEND_TEMPLATE is not set"
    folder = Path(address)
    try:
        if not folder.is_dir():
            folder = cache_folder() / f"template-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
            if folder.is_dir():
                git(folder, "remote", "update", "--prune")
            else:
                with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
                    git(Path(scratch), "clone", "--quiet", "--mirror", "--", address, "clone")
                    Path(scratch, "clone").rename(folder)
        release = release or newest_release(git(folder, "tag", "--list", "v*").split())
        git(folder, "rev-parse", "--verify", "--quiet", f"{release}^{{commit}}")
    except SkippedError:
        return "git can't read the template that BACKEND_TEMPLATE names, or the revision that BACKEND_RELEASE names"
    return Template(folder.resolve(), release)


def newest_release(tags: list[str]) -> str:
    """Return the tag of the highest version that is no pre-release, or `HEAD` where there is none."""
    versions: list[tuple[Version, str]] = []
    for tag in tags:
        try:
            versions.append((Version(tag), tag))
        except InvalidVersion:
            continue
    return max((pair for pair in versions if not pair[0].is_prerelease), default=(None, "HEAD"))[1]


def has_commit(template: Template, commit: str) -> bool:
    """Return whether a commit is part of the template."""
    if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        return False
    try:
        git(template.folder, "cat-file", "-e", f"{commit}^{{commit}}")
    except SkippedError:
        return False
    return True


def rendered(template: Template, commit: str, answers: dict[str, str]) -> dict[str, str]:
    """Return the digests of the files that the template owns, as rendered at a commit.

    They are kept for all commits and projects with the same template and answers.
    """
    version = importlib.metadata.version(DISTRIBUTION)
    source = git(template.folder, "ls-tree", commit, "--", *READ_BY_COOKIECUTTER)
    key = hashlib.sha256(json.dumps([version, source, answers], sort_keys=True).encode()).hexdigest()
    kept = cache_folder() / f"rendered-{key[:32]}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory(dir=cache_folder()) as name:
        scratch = Path(name)
        git(scratch, "clone", "--quiet", "--shared", "--no-checkout", "--", str(template.folder), "template")
        git(scratch / "template", "checkout", "--quiet", "--detach", commit)
        project = render(scratch, answers)
        names = [path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()]
        digests = {each: digest_of((project / each).read_bytes()) for each in names if is_template_owned(each)}
        (scratch / "digests").write_text(json.dumps(digests), encoding="utf-8")
        (scratch / "digests").replace(kept)
    return digests


def render(scratch: Path, answers: dict[str, str]) -> Path:
    """Render the template in a folder with the installed cookiecutter, and return the project."""
    if importlib.util.find_spec("cookiecutter"):
        command = [sys.executable, "-m", "cookiecutter"]
    elif program := shutil.which("cookiecutter"):
        command = [program]
    else:
        raise SkippedError("cookiecutter is not installed")
    config = scratch / "config.yaml"
    config.write_text(json.dumps({"replay_dir": str(scratch / "replay")}), encoding="utf-8")  # and no defaults
    options = ["--no-input", "--accept-hooks", "yes", "--config-file", str(config), "--output-dir", str(scratch)]
    arguments = [f"{name}={value}" for name, value in answers.items()]
    run(scratch, *command, *options, str(scratch / "template"), *arguments)
    return scratch / answers["project_slug"]


def is_template_owned(name: str) -> bool:
    """Return whether a project is not expected to change a file."""
    return not any(fnmatch(name, pattern) for pattern in PROJECT_OWNED)


def digest_of(content: bytes) -> str:
    """Return the digest of a file, whatever its line ends are and whether `make pin` has named a base image's digest."""
    content = re.sub(rb"@sha256:[0-9a-f]{64}", b"", content.replace(b"\r\n", b"\n"))
    return hashlib.sha256(content).hexdigest()


def cache_folder() -> Path:
    """Return the folder of what is kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    folder = Path(base) / DISTRIBUTION
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Return what git prints; raise SkippedError where it fails."""
    return run(folder, "git", *arguments)


def run(folder: Path, *command: str) -> str:
    """Return what a command prints; raise SkippedError where it fails."""
    variables = {name: value for name, value in os.environ.items() if name not in GIT_VARIABLES}
    variables |= {"GIT_TERMINAL_PROMPT": "0", "BACKEND_SKIP_SETUP": "1", "PYTHONUTF8": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SkippedError(f"{Path(command[0]).stem} fails") from error
    return done.stdout.decode(errors="replace").strip()
