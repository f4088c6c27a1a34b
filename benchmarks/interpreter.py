"""The Python that everything is measured with."""

import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

PYTHON = "3.13"
"""The default answer: the image has it."""


@cache
def interpreter() -> Path:
    """Find it on the PATH, or else take the one that runs this."""
    command = (f"python{PYTHON}", "-c", "import sys; print(sys.executable)")
    with suppress(OSError, subprocess.CalledProcessError):
        return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    return Path(sys.executable)


def version() -> str:
    """Name it, like `Python 3.13.0`."""
    return subprocess.run([interpreter(), "--version"], check=True, capture_output=True, text=True).stdout.strip()
