"""Prepare everything in memory, then write it; an error or an interruption leaves the project as it was."""

import ast
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from add_resource.edit import edits
from add_resource.project import RefusedError, read_project, refuse, tidy
from add_resource.resource import read_resource

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def defined_twice(source: str) -> set[str]:
    """Return the names that a file imports or defines more than once."""
    names: list[str] = []
    for node in ast.parse(source).body:
        names += [alias.name for alias in getattr(node, "names", [])]
        names += [getattr(each, "id", getattr(each, "name", "")) for each in (node, *getattr(node, "targets", []))]
    return {name for name in names if name and names.count(name) > 1}


def prepare(answers: Mapping[str, str], folder: Path) -> tuple[dict[str, bytes], dict[str, tuple[bytes, bytes]]]:
    """Return the content of the new files, and of those that get new lines before and after, or raise `RefusedError`."""
    resource = read_resource(answers, read_project(folder))
    texts = resource.render()
    refuse(*(f"{file} would have two things called {each}." for file in texts for each in defined_twice(texts[file])))
    return {file: tidy(folder, file, text, "F401,I").encode() for file, text in texts.items()}, edits(resource)


def replace(path: Path, content: bytes) -> None:
    """Replace a file, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_bytes(content)
        shutil.copymode(path, new)
        new.replace(path.resolve())
    finally:
        new.unlink(missing_ok=True)


def write(folder: Path, new: Mapping[str, bytes], changed: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Write the new files, then replace the others; an error takes everything back."""
    try:
        for name, content in new.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("xb") as file:
                file.write(content)
        for name, (before, after) in changed.items():
            refuse((folder / name).read_bytes() != before and f"{name} was edited meanwhile.")
            replace(folder / name, after)
    except BaseException:
        for name, content in new.items():
            if (folder / name).is_file() and content.startswith((folder / name).read_bytes()):
                (folder / name).unlink()
            with suppress(OSError):  # a folder that is not empty stays
                (folder / name).parent.rmdir()
        for name, (before, after) in changed.items():
            if (folder / name).read_bytes() == after:
                replace(folder / name, before)
        raise


def interrupt(*_: object) -> None:
    """Stop once: what is written is then taken back without a further interruption."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt("interrupted")


def main(answers: Mapping[str, str], templates: Path) -> int:
    """Add a resource, or print why not; return the exit status."""
    folder = Path(templates.parent, answers["project"]).resolve()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        new, changed = prepare(answers, folder)
        write(folder, new, changed)
    except (RefusedError, OSError, KeyboardInterrupt) as error:
        print(f"Nothing was changed:\n{error}", file=sys.stderr)
        return 1
    lines = [*(f"new      {name}" for name in sorted(new)), *(f"changed  {name}" for name in changed)]
    print("\n".join([*lines, "Next: make migrate lint test"]))
    os.chdir(folder)  # Windows removes no current folder
    shutil.rmtree(templates, ignore_errors=True)
    return 0
