"""Options: which are enabled, and what is removed from the project for those that are not."""

import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

SWITCHES, CHOICES = ("example", "auth", "telemetry", "kubernetes"), ("python_version", "database", "ci")
YES = ("yes", "y", "true", "t", "on", "1")

Answers = Mapping[str, object]

OPTION_FILES: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("files.toml").read_text("utf-8"))
OPTIONS = {option for condition in OPTION_FILES for option in condition.split("|")}

CACHES = {"__pycache__", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
NOT_PRUNED = {".git", ".venv", "venv", "node_modules", "UNFINISHED"}


def is_yes(value: object) -> bool:
    """Read a boolean answer, or a switch of the environment."""
    return str(value).lower() in YES


def enabled_options(answers: Answers) -> frozenset[str]:
    """Return the options that were chosen, such as `auth` or `database=postgresql`."""
    switches = {name for name in SWITCHES if is_yes(answers[name])}
    return frozenset(switches | {f"{name}={answers[name]}" for name in CHOICES})


def is_enabled(condition: str, enabled: frozenset[str]) -> bool:
    """Return whether an option is enabled, or one of several with `|` between them."""
    return not enabled.isdisjoint(condition.split("|"))


def prune_text(text: str, enabled: frozenset[str], suffix: str = "") -> str:
    """Remove lines and blocks of options that are not enabled, and all markers; raise ValueError for a wrong marker.

    A line ends with `# option: NAME`; a block lies between such a line and `# end: NAME`. In Markdown, the markers are
    comments of HTML.
    """
    opening, closing = ("<!--", " -->") if suffix == ".md" else ("#", "")
    marker = re.compile(rf"(.*?)\s*{opening} (option|end): ([a-z0-9_.=|]+){closing}\s*")
    kept: list[str] = []
    blocks: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        match = marker.fullmatch(line)
        before, kind, condition = match.groups() if match else (line, "", "")
        if match and not OPTIONS.issuperset(condition.split("|")):
            raise ValueError(f"line {number}: there is no option {condition!r}")
        if kind == "option" and not before:
            blocks.append(condition)
        elif kind == "end" and not before:
            if not blocks or blocks.pop() != condition:
                raise ValueError(f"line {number}: {line.strip()!r} ends no block")
        elif all(is_enabled(each, enabled) for each in ([*blocks, condition] if match else blocks)):
            kept.append(before)
    if blocks:
        raise ValueError(f"the block of option {blocks[-1]!r} has no end")
    return "\n".join(kept)


def prune(project: Path, enabled: frozenset[str]) -> None:
    """Remove all that belongs to options that are not enabled, and caches; raise ValueError for a wrong marker."""
    removed = [patterns for condition, patterns in OPTION_FILES.items() if not is_enabled(condition, enabled)]
    for path in [path for patterns in removed for pattern in patterns for path in project.glob(pattern)]:
        if path.is_file():
            path.unlink()
            while not any((path := path.parent).iterdir()):
                path.rmdir()
    for folder, names, files in os.walk(project):
        for name in CACHES.intersection(names):
            shutil.rmtree(Path(folder, name))
        names[:] = set(names) - CACHES - NOT_PRUNED
        for path in (path for name in files if not (path := Path(folder, name)).is_symlink()):
            content = path.read_bytes()
            if b" option: " in content or b" end: " in content:
                try:
                    path.write_bytes(prune_text(content.decode(), enabled, path.suffix).encode())
                except ValueError as error:
                    raise ValueError(f"{path}: {error}") from error
