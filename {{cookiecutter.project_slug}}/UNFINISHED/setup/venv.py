"""The check of `venv/`: the locked requirements install, and the application can be imported with them."""

import os
import shutil

from setup.checks import Step
from setup.commands import Runner, StepError
from setup.interpreters import IS_SUPPORTED, candidates
from setup.summary import shell_join

LOCKED = ("--require-hashes", "-r", "requirements-dev.txt")
PROGRAMS = "venv\\Scripts\\" if os.name == "nt" else "venv/bin/"


def run_uv(runner: Runner, uv: str, *arguments: str) -> None:
    """Run uv with what it has cached, and with the package index where that is not enough."""
    try:
        runner.run(uv, *arguments, "--offline")
    except StepError:
        runner.run(uv, *arguments)


def make(runner: Runner, uv: str | None, version: str) -> None:
    """Make an empty virtual environment."""
    *others, last = candidates(version, uv)
    for python in (*others, last):
        runner.announce(f"making venv/ with Python {python[-1].lstrip('-')}")
        try:
            if uv:
                run_uv(runner, uv, "venv", "--seed", "--no-python-downloads", "--python", *python, "venv")
            else:
                runner.run(*python, "-m", "venv", "venv")
        except StepError as error:
            shutil.rmtree(runner.project / "venv", ignore_errors=True)
            if python is last:
                raise
            runner.report(str(error).partition("\n")[0])
        else:
            return


def check_venv(runner: Runner, uv: str | None, version: str) -> None:
    """Make `venv/`, or use the one that is there, install the requirements and import the application.

    A new one that is not complete is removed. In a complete one is the stamp that the Makefile looks for.
    """
    folder, python = runner.project / "venv", str(runner.project / f"{PROGRAMS}python")
    is_new = not os.path.lexists(folder)
    if not is_new and runner.probe(python, "-c", IS_SUPPORTED) is None:
        raise StepError("skipped: there is a venv/ whose Python does not run or is too old: remove venv/")
    try:
        if is_new:
            make(runner, uv, version)
        runner.announce(f"installing requirements-dev.txt with {'uv' if uv else 'pip'}")
        if uv:
            run_uv(runner, uv, "pip", "install", "--python", python, *LOCKED)
        else:
            runner.run(python, "-m", "pip", "install", *LOCKED)
        (folder / ".installed").touch()
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    runner.announce("importing api.main in venv/")
    runner.run(python, "-c", "import api.main")


def venv_check(version: str) -> Step:
    """Describe the check for a version such as 3.13."""
    uv, python = shutil.which("uv"), candidates(version, shutil.which("uv"))[0]
    make = ["uv", "venv", "--seed", "--python", *python, "venv"] if uv else [*python, "-m", "venv", "venv"]
    install = ["uv", "pip", "install", "--python", "venv"] if uv else [f"{PROGRAMS}pip", "install"]
    repeat = (shell_join(make), shell_join([*install, *LOCKED]))
    return Step("venv", lambda runner: check_venv(runner, uv, version), repeat)
