"""The check of `venv/`: the locked requirements install, and the application can be imported with them."""

import os
import shutil
import sys

from setup.interpreters import IS_SUPPORTED, venv_commands
from setup.steps import Context, Step, StepError
from setup.summary import shell_join

LOCKED = ("--require-hashes", "-r", "requirements-dev.txt")
PROGRAMS, PYTHON = ("venv\\Scripts\\", "python.exe") if os.name == "nt" else ("venv/bin/", "python")


def check_venv(step: Step, version: str) -> None:
    """Make `venv/`, or use the one that is there, install the requirements and import the application.

    A new one that is not complete is removed. In a complete one is the stamp that the Makefile looks for.
    """
    folder, python = step.context.project / "venv", str(step.context.project / f"{PROGRAMS}{PYTHON}")
    is_new, uv = not os.path.lexists(folder), shutil.which("uv")
    if not is_new and step.probe(python, "-c", IS_SUPPORTED) is None:
        raise StepError("skipped: there is a venv/ whose Python does not run or is too old: remove venv/")
    try:
        if is_new:
            wanted, running = venv_commands(version)
            step.announce(f"making venv/ with Python {version}")
            try:
                step.run(*wanted)
            except StepError:
                step.announce(f"Python {version} can't be used here: making venv/ with {sys.executable}")
                step.run(*running)
        step.announce(f"installing requirements-dev.txt with {'uv' if uv else 'pip'}")
        install = ("uv", "pip", "install", "--python", python) if uv else (python, "-m", "pip", "install")
        step.run(*install, *LOCKED)
        (folder / ".installed").touch()
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    step.announce("importing api.main in venv/")
    step.run(python, "-c", "import api.main")


def venv_check(context: Context, version: str) -> Step:
    """Describe the check for a version such as 3.13."""
    install = ["uv", "pip", "install", "--python", "venv"] if shutil.which("uv") else [f"{PROGRAMS}pip", "install"]
    repeat = [shell_join(venv_commands(version)[0]), shell_join([*install, *LOCKED])]
    return Step(context, "venv", lambda step: check_venv(step, version), repeat)
