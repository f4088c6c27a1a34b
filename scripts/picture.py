"""Draw `docs/terminal.svg`, the picture in the README, from a real run of `make project` in a clone."""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "https://github.com/OWNER/cookiecutter-backend.git"
COMMAND = 'make project args="--no-input project_name=Shop"'
WIDTH = 100


def session() -> str:
    """Clone this repository, run the command in the clone, and return what the terminal shows."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "cookiecutter-backend"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        subprocess.run(["git", "remote", "set-url", "origin", ADDRESS], cwd=clone, check=True)
        environment = {name: value for name, value in os.environ.items() if "MAKE" not in name} | {"PWD": str(clone)}
        done = subprocess.run(
            ["bash", "-c", COMMAND], cwd=clone, env=environment, check=True, capture_output=True, text=True
        )
    return f"$ {COMMAND}\n{done.stdout}{done.stderr}"


def draw(text: str) -> str:
    """Return the picture of a terminal, which loads no font from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text(text.rstrip()))
    picture = console.export_svg(title="cookiecutter-backend", theme=DIMMED_MONOKAI, unique_id="terminal")
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "terminal.svg"
    target.write_text(draw(session()), encoding="utf-8")
