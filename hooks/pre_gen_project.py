"""Refuse answers that no backend can be made from: all of them at once, before a file is written."""

import sys

if __name__ == "__main__":
    # The first entry is the shared temporary folder, where anybody may have left a `json.py`.
    sys.path.pop(0)

if sys.version_info < (3, 11):  # noqa: UP036 - this file runs with whatever Python cookiecutter has
    sys.exit(
        f"cookiecutter runs on Python {sys.version_info[0]}.{sys.version_info[1]} here, and this template needs 3.11 "
        "or newer: run cookiecutter with another Python, for example `uvx --python 3.13 cookiecutter`."
    )

import io
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

UNRENDERED = r"""{{ _cookiecutter | default({}) | tojson }}"""
RAW = r"""{{ cookiecutter | tojson }}"""  # {% raw %}

TEXTS = {"project_name": 1, "description": 0}
CHOICES = {
    "python_version": ("3.13", "3.14", "3.12", "3.11"),
    "database": ("postgresql", "sqlite"),
    "ci": ("github", "gitlab", "none"),
}
SWITCHES = ("example", "auth", "telemetry", "kubernetes", "create_venv", "check_docker")

# The options of cookiecutter's command line that are followed by a value.
VALUED = (
    *("-c", "--checkout", "--directory", "--replay-file", "-o", "--output-dir"),
    *("--config-file", "--debug-file", "--accept-hooks"),
)

TEMPLATE = "{{cookiecutter.project_slug}}"
UNFINISHED = "UNFINISHED"
YOURS = f"{UNFINISHED}/yours"
TOLD_TO_SKIP = f"{UNFINISHED}/README.md"

ON = ("1", "true", "t", "yes", "y", "on")
OFF = ("0", "false", "f", "no", "n", "off")

LONGEST_TEXT = 200
LONGEST_SLUG = 50
LONGEST_IMAGE = 255
LONGEST_QUOTE = 80

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# The grammar of https://github.com/distribution/reference, with a tag, a digest or both.
PATH_COMPONENT = r"[a-z0-9]+(?:(?:[.]|_{1,2}|-+)[a-z0-9]+)*"
TAG, DIGEST = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", r"@sha256:[0-9a-f]{64}"
IMAGE = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?{PATH_COMPONENT}(?:/{PATH_COMPONENT})*"
    rf"(?:{TAG}(?:{DIGEST})?|{DIGEST})"
)
OFFICIAL_PYTHON = re.compile(r"(?:.*/)?python:(?P<version>3\.[0-9]+)\b.*")
WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)}
TAKEN = WINDOWS_DEVICES | {"template0", "template1"}

# Cruft renders recorded answers once more, and the post-generation hook looks for the markers of options.
RESERVED = ("{{", "{%", "{#", "# option:", "# end:", "<!-- option:", "<!-- end:")

# Unassigned and private-use characters stay allowed: an emoji may be newer than this Python. So does the zero-width
# joiner, which holds emoji together.
UNPRINTABLE_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
BIDI_CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
BYTE_ORDER_MARK = "\ufeff"
NONCHARACTERS = (
    *map(chr, range(0xFDD0, 0xFDF0)),
    *(chr(0x10000 * plane + last) for plane in range(17) for last in (0xFFFE, 0xFFFF)),
)
UNPRINTABLE = frozenset((*BIDI_CONTROLS, BYTE_ORDER_MARK, *NONCHARACTERS))


def is_writable(character: str) -> bool:
    """Whether every file format can carry the character, on one line and in the order it is read."""
    return character not in UNPRINTABLE and unicodedata.category(character) not in UNPRINTABLE_CATEGORIES


def quoted(value: object) -> str:
    """The value in ASCII, so that invisible characters show, and not too long to be read."""
    text = ascii(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}... ({len(str(value))} characters)"


def complaint(name: str, value: object, rule: str, way_out: str) -> str:
    """One refused answer, as the user reads it."""
    return f"{name} = {quoted(value)}\n  {rule}\n  Try: {way_out}"


def cleaned_text(text: str) -> str:
    """The nearest text that is allowed; it may be empty."""
    cleaned = "".join(character if is_writable(character) else " " for character in text)
    while any(reserved in cleaned for reserved in RESERVED):
        for reserved in RESERVED:
            cleaned = cleaned.replace(reserved, " ")
        cleaned = " ".join(cleaned.split())
    return " ".join(cleaned.split())[:LONGEST_TEXT].strip()


def text_fault(text: str, shortest: int) -> str | None:
    """What is wrong with a line of text, if anything."""
    if not shortest <= len(text) <= LONGEST_TEXT:
        return f"It has {len(text)} characters; between {shortest} and {LONGEST_TEXT} are allowed."
    if text != text.strip():
        return "It must not begin or end with a space."
    unwritable = sorted({character for character in text if not is_writable(character)})
    if unwritable:
        points = ", ".join(f"U+{ord(character):04X}" for character in unwritable)
        return f"It must be one line of printable text, without control characters: {points}."
    reserved = [word for word in RESERVED if word in text]
    if reserved:
        return f"It must not contain {' or '.join(reserved)}: templates and options are written so."
    return None


def complaint_about_text(name: str, value: object) -> str | None:
    """A name or a description is one line of any printable text."""
    if not isinstance(value, str):
        return complaint(name, value, "It must be text.", f"{name}='Budget API'")
    fault = text_fault(value, TEXTS[name])
    if fault is None:
        return None
    return complaint(name, value, fault, cleaned_text(value) or "a few words, such as: Budget API")


def suggested_slug(value: object) -> str:
    """The nearest slug that is allowed."""
    plain = unicodedata.normalize("NFKD", str(value)).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")
    slug = words[:LONGEST_SLUG].strip("-") or "backend"
    return f"{slug}-api" if slug in TAKEN else slug


def complaint_about_slug(value: object) -> str | None:
    """A slug names a folder, an image and a database, on every system."""
    if not isinstance(value, str) or not SLUG.fullmatch(value):
        rule = "It must be lower-case words of a-z and 0-9, joined by '-', and begin with a letter."
    elif len(value) > LONGEST_SLUG:
        rule = f"It has {len(value)} characters; at most {LONGEST_SLUG} are allowed."
    elif value in TAKEN:
        rule = "It must not be a name that Windows or PostgreSQL keeps for itself."
    else:
        return None
    return complaint("project_slug", value, rule, suggested_slug(value))


def complaint_about_image(value: object, version: object) -> str | None:
    """A base image is written into the Dockerfile and the pipeline; one that tells its Python tells the right one."""
    if not isinstance(value, str) or not IMAGE.fullmatch(value) or len(value) > LONGEST_IMAGE:
        rule = "It must be the name of an image with a tag or a digest."
    elif (named := OFFICIAL_PYTHON.fullmatch(value)) and named["version"] != version:
        rule = f"It has Python {named['version']}, and python_version is {version}."
    else:
        return None
    return complaint("base_image", value, rule, f"python:{version}-slim")


def complaint_about_choice(name: str, value: object) -> str | None:
    """A choice is one of those that were offered."""
    if value in CHOICES[name]:
        return None
    return complaint(name, value, f"It must be one of {', '.join(CHOICES[name])}.", CHOICES[name][0])


def complaint_about_switch(name: str, value: object) -> str | None:
    """A switch is a boolean, or one of the words that stand for it."""
    if isinstance(value, bool) or str(value).lower() in ON + OFF:
        return None
    return complaint(name, value, f"It must be one of {', '.join(ON)}, or one of {', '.join(OFF)}.", "yes, or no")


def complaint_about_derived(name: str, value: object, right: str) -> str | None:
    """A value that is made of an answer can differ from it, where a replay file was edited."""
    return None if value == right else complaint(name, value, "It must be what the answers make of it.", right)


def complaint_about_name(name: str) -> str | None:
    """A misspelt answer would change nothing, and nobody would be told."""
    questions = (*TEXTS, "project_slug", *CHOICES, "base_image", *SWITCHES)
    if name in questions:
        return None
    return f"{quoted(name)}\n  It answers no question.\n  Try: one of {', '.join(questions)}"


def escaped(text: object) -> str:
    """Write a text as it stands between double quotes in Python and TOML."""
    return str(text).replace("\\", "\\\\").replace('"', "\\u0022")


def derived(answers: Mapping[str, object]) -> dict[str, str]:
    """Make what cookiecutter makes of the answers."""
    return {f"__{name}": escaped(answers.get(name)) for name in TEXTS} | {
        "__database_name": str(answers.get("project_slug")).replace("-", "_")
    }


def typed_answers(command: Sequence[str]) -> list[str]:
    """Name the answers on cookiecutter's command line: it passes over those to which there is no question."""
    words = iter(command)
    if not any(Path(word).stem == "cookiecutter" for word in islice(words, 3)):  # as in `python -m cookiecutter`
        return []
    template_and_answers: list[str] = []
    for word in words:
        if word in VALUED:
            next(words, None)
        elif not word.startswith("-"):
            template_and_answers.append(word)
    return [answer.partition("=")[0] for answer in template_and_answers[1:] if "=" in answer]


def parents_command() -> list[str]:
    """Read the command line of cookiecutter, which only Linux tells."""
    with suppress(OSError):
        return Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def complaints(answers: Mapping[str, object]) -> list[str]:
    """Everything that is wrong with the answers, in the order of the questions."""
    found = [
        *(complaint_about_text(name, answers.get(name)) for name in TEXTS),
        complaint_about_slug(answers.get("project_slug")),
        *(complaint_about_choice(name, answers.get(name)) for name in CHOICES),
        complaint_about_image(answers.get("base_image"), answers.get("python_version")),
        *(complaint_about_switch(name, answers.get(name)) for name in SWITCHES),
    ]
    return [each for each in found if each is not None] or [
        each
        for name, right in derived(answers).items()
        if (each := complaint_about_derived(name, answers.get(name, right), right))
    ]


def remove_empty_way(project: Path, slug: object) -> None:
    """Remove the folders that a slug with slashes led through: cookiecutter made them, and would leave all but the last.

    A folder that holds anything stays, and so does the current folder where the system does not let it go. Of a whole
    path nobody knows what was there before.
    """
    way = Path(str(slug))
    named = [part for part in way.parts if part not in (".", "..")]
    if len(named) > 1 and not way.is_absolute():
        with suppress(OSError):
            for folder in (project, *project.parents[: len(named) - 1]):
                folder.rmdir()


def complaint_about_folder(project: Path) -> str | None:
    """Nobody's files are kept aside twice."""
    if not any((project / YOURS).glob("*")):
        return None
    rule = "holds files of yours, from a run that is still at work or was cut off."
    return f"{YOURS} {rule}\n  Try: wait for that run, or take back what you need and remove {YOURS}"


def paths_in(template: Path) -> list[Path]:
    """Name all that cookiecutter would write, as seen from the project."""
    return [path.relative_to(template) for path in template.rglob("*")]


def complaint_about_links(project: Path, paths: Iterable[Path]) -> str | None:
    """Cookiecutter writes through a link, over what may be somebody else's."""
    links = sorted(path.as_posix() for path in paths if (project / path).is_symlink())
    if not links:
        return None
    rule = "is in the way as a link, and what it leads to would be written over."
    return f"{', '.join(links)}\n  It {rule}\n  Try: another folder, or remove the link"


def keep_aside(project: Path, paths: Iterable[Path]) -> None:
    """Copy the files that cookiecutter would write over; some of them even where it was told to skip what is there.

    What it skips it leaves as it was, by which the hook afterwards knows: this file would not be empty otherwise.
    """
    if not any(project.iterdir()):
        return
    for path in paths:
        if (project / path).is_file():
            aside = project / YOURS / path
            aside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / path, aside)
    (project / YOURS).mkdir(parents=True, exist_ok=True)
    (project / TOLD_TO_SKIP).write_bytes(b"")


def report(refused: Iterable[str]) -> str:
    """All complaints."""
    return "\n".join(["", "These answers cannot be used; nothing was generated:", "", *refused, ""])


def as_typed(answers: Mapping[str, object], unrendered: Mapping[str, object]) -> dict[str, object]:
    """Put back what cookiecutter made good answers of: what comes out must be what went in.

    The slug and the image may be made of other answers, as they are where none was given.
    """
    texts = {name: text for name in TEXTS if isinstance(text := unrendered.get(name), str)}
    faulty: dict[str, object] = {name: text for name, text in texts.items() if text_fault(text, TEXTS[name])}
    judges: dict[str, Callable[[object], str | None]] = {
        "project_slug": complaint_about_slug,
        "base_image": partial(complaint_about_image, version=answers.get("python_version")),
    }
    for name, complain in judges.items():
        made = unrendered.get(name, "cookiecutter.")
        if "cookiecutter." not in str(made) and complain(made):
            faulty[name] = made
    return {**answers, **faulty}


def main(answers: Mapping[str, Any], names: Iterable[str], project: Path) -> int:
    """Print the complaints; the exit status says whether there were any."""
    paths = paths_in(Path(os.environ.get("PWD", "."), answers.get("_repo_dir", ""), TEMPLATE))
    about_folder = (complaint_about_folder(project), complaint_about_links(project, paths))
    refused = [*filter(None, (*map(complaint_about_name, names), *about_folder)), *complaints(answers)]
    if not refused:
        keep_aside(project, paths)
        return 0
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="replace")
    print(report(refused), file=sys.stderr, flush=True)
    remove_empty_way(project, answers.get("project_slug"))
    return 1


if __name__ == "__main__":
    ANSWERS = as_typed(json.loads(RAW), json.loads(UNRENDERED))
    # Cookiecutter has rendered this file into the temporary folder, and would leave it there.
    with suppress(OSError):
        Path(__file__).unlink()
    sys.exit(main(ANSWERS, typed_answers(parents_command()), Path.cwd()))
# {% endraw %}
