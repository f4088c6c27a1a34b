"""The Python that everything is measured with."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

from conftest import load_hook

PYTHON = "3.13"
"""The default answer: the image has it."""


@cache
def interpreter() -> Path:
    """Find it as the hook would, or else the nearest one that is installed."""
    hook = load_hook("post_gen_project")
    with tempfile.TemporaryDirectory() as folder:
        found = hook.find_interpreter(hook.Work(Path(folder), 60, print), int(PYTHON.removeprefix("3.")))
    return Path(found.path)


def version() -> str:
    """Name it, like `Python 3.13.0`."""
    return subprocess.run([interpreter(), "--version"], check=True, capture_output=True, text=True).stdout.strip()
