"""Which Python makes the virtual environment: the one that was asked for, or else the one that runs this."""

import os
import sys

IS_SUPPORTED = "import sys; sys.exit(sys.version_info < (3, 11))"


def candidates(version: str, uv: str | None) -> list[list[str]]:
    """Return commands for a version such as 3.13, in the order in which they are tried; uv finds a version itself."""
    launcher = ["py", f"-{version}"] if os.name == "nt" else [f"python{version}"]
    return [[version] if uv else launcher, [sys.executable]]
