"""Which Python makes the virtual environment: the one that was asked for, or else the one that runs this."""

import os
import sys

IS_SUPPORTED = "import sys; sys.exit(sys.version_info < (3, 11))"


def candidates(version: str, uv: str | None) -> list[tuple[str, list[str]]]:
    """Return versions, such as 3.13, and their commands, in the order in which they are tried; uv finds one itself."""
    launcher = ["py", f"-{version}"] if os.name == "nt" else [f"python{version}"]
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [(version, [version] if uv else launcher), (here, [sys.executable])]
