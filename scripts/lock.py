"""Lock the packages of this repository, of the template and of the benchmarks; takes options of `uv pip compile`."""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from setup.options import prune_text

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
LOCKS = ("requirements.txt", "requirements-dev.txt")
COMPILE = (
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--no-annotate", "--generate-hashes"),
    *("--python-version", "3.11", "--custom-compile-command", "make lock"),
)


def compile_lock(folder: Path, *arguments: str) -> None:
    """Run `uv pip compile` in a folder; the versions in the output file are kept, unless an argument upgrades them."""
    if subprocess.run([*COMPILE, *arguments], cwd=folder, check=False).returncode:
        sys.exit(1)


def compile_locks(folder: Path, *arguments: str) -> None:
    """Lock what `pyproject.toml` requires, and with the group `dev`, in the same versions."""
    compile_lock(folder, "pyproject.toml", "-o", "requirements.txt", *arguments)
    dev = ("--group", "dev", "-c", "requirements.txt")
    compile_lock(folder, "pyproject.toml", "-o", "requirements-dev.txt", *dev, *arguments)


def compile_template(
    pyproject: str, options: Iterable[str], locked: Mapping[str, str], *arguments: str
) -> dict[str, str]:
    """Return the locks of a project with these options, by name."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in {"pyproject.toml": prune_text(pyproject, frozenset(options)), **locked}.items():
            (folder / file).write_text(text, encoding="utf-8")
        compile_locks(folder, *arguments)
        return {lock: (folder / lock).read_text(encoding="utf-8") for lock in LOCKS}


def split_lock(lock: str) -> list[str]:
    """Return the heading of a lock and its packages, each with its hashes."""
    return re.split(r"^(?=\w)", lock, flags=re.MULTILINE)


def with_markers(full: str, alone: Mapping[str, str]) -> str:
    """Write into the lock of all options which packages belong to which of them.

    `alone` has the lock of each option alone, and under an empty name the lock of no option. A package that is missing
    in the latter belongs to the options that have it.

    Raises:
        SystemExit: An option changes a package, or two add one together, which no marker expresses.
    """
    packages = {option: split_lock(lock) for option, lock in alone.items()}

    def condition(package: str) -> str:
        return "" if package in packages[""] else "|".join(option for option in alone if package in packages[option])

    marked, *rest = split_lock(full)
    for options, group in itertools.groupby(rest, condition):
        block = "".join(group)
        marked += f"# option: {options}\n{block}# end: {options}\n" if options else block
    for option, expected in packages.items():
        if wrong := set(split_lock(prune_text(marked, frozenset([option])))) ^ set(expected):
            names = ", ".join(sorted({package.split("==")[0] for package in wrong}))
            sys.exit(f"No marker expresses how these packages depend on the options: {names}")
    return marked


def lock_template(*arguments: str) -> None:
    """Lock the template with all options, and mark what belongs to which."""
    pyproject = re.sub(r"{{.+?}}", "x", (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))
    options = sorted(set("|".join(re.findall(r"# option: (\S+)", pyproject)).split("|")))
    locked = {name: (TEMPLATE / name).read_text(encoding="utf-8") for name in LOCKS}
    full = compile_template(pyproject, options, locked, *arguments)
    with ThreadPoolExecutor() as executor:
        alone = {option: executor.submit(compile_template, pyproject, [option], full) for option in ["", *options]}
    marked = {
        name: with_markers(full[name], {option: locks.result()[name] for option, locks in alone.items()})
        for name in LOCKS
    }
    for name, text in marked.items():
        (TEMPLATE / name).write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Write all locks."""
    arguments = sys.argv[1:]
    compile_locks(ROOT, *arguments)
    lock_template(*arguments)
    pinned = f"{TEMPLATE.name}/requirements.txt"
    compile_lock(ROOT, pinned, "--group", "bench", "-o", "benchmarks/requirements.txt", *arguments)


if __name__ == "__main__":
    main()
