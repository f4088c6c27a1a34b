"""The check of `venv/`: the locked requirements install, and the application can be imported with them."""

import os
import shutil

from setup.interpreters import IS_SUPPORTED, candidates
from setup.steps import Context, Step, StepError
from setup.summary import shell_join

LOCKED = ("--require-hashes", "-r", "requirements-dev.txt")
UV_VENV = ("venv", "--seed", "--allow-existing", "--python")
PROGRAMS, PYTHON = ("venv\\Scripts\\", "python.exe") if os.name == "nt" else ("venv/bin/", "python")


def run_uv(step: Step, uv: str, *arguments: str) -> None:
    """Run uv with what it has cached, and with the package index where that is not enough."""
    try:
        step.run(uv, *arguments, "--offline")
    except StepError:
        step.run(uv, *arguments)


def make(step: Step, uv: str | None, version: str) -> None:
    """Make an empty virtual environment."""
    *_, last = pythons = candidates(version, uv)
    for minor, python in pythons:
        step.announce(f"making venv/ with Python {minor}")
        try:
            if uv:
                run_uv(step, uv, *UV_VENV, *python, "venv", "--no-python-downloads")
            else:
                step.run(*python, "-m", "venv", "venv")
        except StepError:
            if python is last[1]:
                raise
            step.report(f"Python {minor} can't be used here")
        else:
            break


def check_venv(step: Step, uv: str | None, version: str) -> None:
    """Make `venv/`, or use the one that is there, install the requirements and import the application.

    A new one that is not complete is removed. In a complete one is the stamp that the Makefile looks for.
    """
    folder, python = step.project / "venv", str(step.project / f"{PROGRAMS}{PYTHON}")
    is_new = not os.path.lexists(folder)
    if not is_new and step.probe(python, "-c", IS_SUPPORTED) is None:
        raise StepError("skipped: there is a venv/ whose Python does not run or is too old: remove venv/")
    try:
        if is_new:
            make(step, uv, version)
        step.announce(f"installing requirements-dev.txt with {'uv' if uv else 'pip'}")
        if uv:
            run_uv(step, uv, "pip", "install", "--python", python, *LOCKED)
        else:
            step.run(python, "-m", "pip", "install", *LOCKED)
        (folder / ".installed").touch()
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    step.announce("importing api.main in venv/")
    step.run(python, "-c", "import api.main")


def venv_check(context: Context, version: str) -> Step:
    """Describe the check for a version such as 3.13."""
    uv = shutil.which("uv")
    _, python = candidates(version, uv)[0]
    make = ["uv", *UV_VENV, *python, "venv"] if uv else [*python, "-m", "venv", "venv"]
    install = ["uv", "pip", "install", "--python", "venv"] if uv else [f"{PROGRAMS}pip", "install"]
    repeat = [shell_join(make), shell_join([*install, *LOCKED])]
    return Step(context, "venv", lambda step: check_venv(step, uv, version), repeat)
