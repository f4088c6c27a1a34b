"""Refuse answers that no backend can be generated from: all of them at once, before a file is written."""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # the shared temporary folder, whose modules must not shadow the standard library

if sys.version_info < (3, 11):  # noqa: UP036 - this file runs with any Python that cookiecutter runs with
    sys.exit("This template needs Python 3.11 or newer to run cookiecutter: try `uvx --python 3.13 cookiecutter`.")

import json
import os
import re
import shlex
import subprocess
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

AS_TYPED = r"""{{ _cookiecutter | default({}) | tojson }}"""
ANSWERS = r"""{{ cookiecutter | tojson }}"""  # {% raw %}

QUESTIONS = "project_name project_slug description python_version base_image database"
QUESTIONS += " example auth telemetry ci kubernetes create_venv check_docker"
CHOICES = {
    "python_version": ("3.13", "3.14", "3.12", "3.11"),
    "database": ("postgresql", "sqlite"),
    "ci": ("github", "gitlab", "none"),
}
YES, NO = "yes, y, true, t, on, 1", "no, n, false, f, off, 0"
MAX_TEXT_LENGTH, MAX_SLUG_LENGTH, MAX_IMAGE_LENGTH, MAX_SHOWN_LENGTH = 200, 50, 255, 80

# Control characters, line separators, bidirectional controls, byte-order marks, surrogates and noncharacters.
UNPRINTABLE = (
    r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
)
# Cruft renders recorded answers a second time, and the post-generation hook looks for the markers of options.
RESERVED = re.compile(r"\{[{%#]|(?:#|<!--) (?:option|end):")
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
RESERVED_SLUG = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]|template[01]")  # of Windows, PostgreSQL
# The grammar of https://github.com/distribution/reference, with a tag, a digest or both.
IMAGE = re.compile(
    r"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[.]|_{1,2}|-+|/)[a-z0-9]+)*"
    r"(?:@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(?:@sha256:[0-9a-f]{64})?)"
)
OFFICIAL_PYTHON = re.compile(r"(?:.*/)?python:(3\.[0-9]+)\b.*")

# What is written: git must be able to restore it in a folder that exists, unless an outer repository ignores all ("./").
WRITTEN = re.compile(
    r"\./$|(api|deploy|docs|migrations|tests|UNFINISHED|\.github)(/|$)|(AGENTS.md|Dockerfile|Makefile|README.md|compose.yaml)$|"
    r"(gunicorn.conf.py|pyproject.toml|requirements(-dev)?.txt)$|\.(cruft.json|dockerignore|editorconfig|env.example|git[a-z-]+(.yml)?)$"
)
CACHE = re.compile(r"(.*/)?(__pycache__|\.\w+_cache)/|.*\.pyc$")


class Complaint(NamedTuple):
    """A refused answer, the rule that it breaks, and an answer that is accepted."""

    name: str
    value: object
    rule: str
    suggestion: str

    def __str__(self) -> str:
        """Show the value in ASCII, so that invisible characters are seen, and cut it."""
        shown = ascii(self.value)
        shown = f"{shown[:MAX_SHOWN_LENGTH]}..." if len(shown) > MAX_SHOWN_LENGTH else shown
        return f"{self.name} = {shown}\n  {self.rule}\n  Try: {self.suggestion or '(nothing)'}"


def cleaned(text: str) -> str:
    """Return a similar text that is allowed; it may be empty."""
    return " ".join(re.sub(rf"[{UNPRINTABLE}{{]|\b(option|end):", " ", text).split())[:MAX_TEXT_LENGTH].strip()


def rule_of_text(text: object, shortest: int) -> str | None:
    """Return the rule that a line of text breaks, if any."""
    if not isinstance(text, str):
        return "It must be text."
    if not shortest <= len(text) <= MAX_TEXT_LENGTH:
        return f"It has {len(text)} characters; {shortest} to {MAX_TEXT_LENGTH} are allowed."
    if text != text.strip():
        return "It must not begin or end with a space."
    if unprintable := {f"U+{ord(character):04X}" for character in re.findall(f"[{UNPRINTABLE}]", text)}:
        return f"It must be one line of printable text, without {', '.join(sorted(unprintable))}."
    if reserved := RESERVED.findall(text):
        return f"It must not contain {' or '.join(reserved)}: templates and options are written so."
    return None


def suggested_slug(value: object) -> str:
    """Return the nearest slug that is allowed."""
    plain = unicodedata.normalize("NFKD", str(value)).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")
    slug = words[:MAX_SLUG_LENGTH].strip("-") or "backend"
    return f"{slug}-api" if RESERVED_SLUG.fullmatch(slug) else slug


def rule_of_slug(slug: object) -> str | None:
    """Return the rule that the name of a folder, an image and a database breaks, if any."""
    if not isinstance(slug, str) or not SLUG.fullmatch(slug):
        return "It must be lower-case words of a-z and 0-9, joined by '-', and begin with a letter."
    if len(slug) > MAX_SLUG_LENGTH:
        return f"It has {len(slug)} characters; at most {MAX_SLUG_LENGTH} are allowed."
    return "It must not be a name that Windows or PostgreSQL reserves." if RESERVED_SLUG.fullmatch(slug) else None


def check(name: str, value: object, version: str) -> tuple[str | None, str]:
    """Return the rule that an answer breaks, if any, and a suggestion."""
    rule: str | None = None
    if name == "description":
        return rule_of_text(value, 0), cleaned(str(value))
    if name == "project_name":
        return rule_of_text(value, 1), cleaned(str(value)) or "Budget API"
    if name == "project_slug":
        return rule_of_slug(value), suggested_slug(value)
    if name == "base_image":
        official = OFFICIAL_PYTHON.fullmatch(str(value))
        if not isinstance(value, str) or not IMAGE.fullmatch(value) or len(value) > MAX_IMAGE_LENGTH:
            rule = "It must be the name of an image with a tag or a digest."
        elif re.search("alpine|distroless", value):
            rule = "It must have pip and `useradd`, which Alpine and distroless images lack."
        elif official and official[1] != version:
            rule = f"It has Python {official[1]}, and python_version is {version}."
        return rule, f"python:{version}-slim"
    if choices := CHOICES.get(name):
        return None if value in choices else f"It must be one of {', '.join(choices)}.", choices[0]
    is_boolean = str(value).lower() in f"{YES}, {NO}".split(", ")
    return None if is_boolean else f"It must be one of {YES}, or one of {NO}.", "yes"


def complaints(answers: Mapping[str, object]) -> list[Complaint]:
    """Return everything that is wrong with the answers, in the order of the questions."""
    asked, versions = str(answers.get("python_version")), CHOICES["python_version"]
    version = asked if asked in versions else versions[0]
    judged = ((name, answers.get(name), *check(name, answers.get(name), version)) for name in QUESTIONS.split())
    return [Complaint(name, value, rule, suggestion) for name, value, rule, suggestion in judged if rule]


def command_line(answers: Mapping[str, object], refused: Sequence[Complaint], *, in_use: bool) -> str:
    """Write the command that generates the project with the suggestions in place of the refused answers."""
    good = {name: answers.get(name) for name in QUESTIONS.split()} | {each.name: each.suggestion for each in refused}
    options = {"-o": answers.get("_output_dir"), "--checkout": answers.get("_checkout")}
    words = ["cookiecutter", "--no-input", *(["-f"] if in_use else [])]
    words += [str(word) for option in options.items() if option[1] for word in option]
    words += [str(answers.get("_template")), *(f"{name}={value}" for name, value in good.items())]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def git(folder: Path, *arguments: str) -> list[str]:
    """Return the lines that git prints about a folder; it raises OSError or CalledProcessError where it can't."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # they would name another repository
        os.environ.pop(name, None)
    command = ("git", "--no-optional-locks", *arguments, "-z", "--", ".")
    output = subprocess.check_output(command, cwd=folder, stderr=subprocess.DEVNULL)
    return [line for line in output.decode(errors="replace").split("\0") if line]


def rule_of_folder(folder: Path) -> str | None:
    """Return why generating into a folder with files could lose some: git must be able to restore what is written over."""
    try:
        changed = [line[3:] for line in git(folder, "status", "--porcelain", "--untracked-files=normal")]
        ignored = git(folder, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory")
        # A link is written through, and git sees no change of what is marked "skip-worktree" or "assume unchanged".
        index = [line.partition("\t") for line in git(folder, "ls-files", "-v", "--stage")]
    except (OSError, subprocess.CalledProcessError):
        return "The folder is not empty, and git does not keep what is in it."
    special = [path for state, _, path in index if not state.startswith("H 100")]
    lost = [*changed, *(path for path in (*ignored, *special) if WRITTEN.match(path) and not CACHE.match(path))]
    return f"The folder is not empty, and git could not restore {', '.join(lost[:3])}." if lost else None


def main(answers: Mapping[str, object], project: Path) -> int:
    """Print the complaints, and return the exit status."""
    refused = complaints(answers)
    report = [*map(str, refused)]
    if any(project.iterdir()) and (rule := rule_of_folder(project)):
        report.append(f"{project}\n  {rule}\n  Try: commit what is in it, or choose another folder")
    if not report:
        return 0
    if refused:
        report += ["", "With all suggestions:", "", command_line(answers, refused, in_use=any(project.iterdir()))]
    print("\nThese answers cannot be used; nothing was generated:\n", *report, sep="\n", file=sys.stderr, flush=True)
    parts = Path(str(answers.get("project_slug"))).parts
    with suppress(OSError):  # of a slug with slashes, cookiecutter would leave the empty folders that it has made
        for folder in (project, *project.parents)[: len(parts) if parts[1:] and parts[0] not in ("..", "/") else 0]:
            folder.rmdir()
    return 1


if __name__ == "__main__":
    # Cookiecutter renders the answers of a command line, so that tags in them vanish; wrong ones are checked as typed.
    TEXTS = ("project_name", "description")
    TYPED = {name: text for name, text in json.loads(AS_TYPED).items() if name in TEXTS and rule_of_text(text, 0)}
    Path(__file__).unlink(missing_ok=True)  # cookiecutter leaves the rendered hook in the temporary folder
    sys.exit(main({**json.loads(ANSWERS), **TYPED}, Path.cwd()))
# {% endraw %}
