"""Which Python makes the virtual environment: the one that was asked for, or else the one that runs this."""

import os
import shutil
import sys

IS_SUPPORTED = "import sys; sys.exit(sys.version_info < (3, 11))"


def venv_commands(version: str) -> list[list[str]]:
    """Return two commands that make `venv/`: with a version such as 3.13, and with the Python that runs this."""
    if shutil.which("uv"):
        make = ["uv", "venv", "--seed", "--allow-existing", "--python"]
        return [[*make, version, "venv"], [*make, sys.executable, "venv"]]
    launcher = ["py", f"-{version}"] if os.name == "nt" else [f"python{version}"]
    return [[*launcher, "-m", "venv", "venv"], [sys.executable, "-m", "venv", "venv"]]
