"""What the user reads at the end: how each step ended, how to repeat it, and what to do next."""

import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from setup.steps import Step


def shell_join(words: Sequence[str]) -> str:
    """Write a command for the shell of this system."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def summary(name: str, project: Path, enabled: Iterable[str], steps: Sequence[Step], git_init: str) -> str:
    """Write the summary, with the folder as it is typed in the user's current one, which the shell passes as PWD."""
    here, indent = Path(os.environ.get("PWD", ".")), " " * 11
    folder = shell_join([os.path.relpath(project, here) if here.parent in project.parents else str(project)])
    lines = ["", f"{name} is in {folder}", "", f"  options  {', '.join(sorted(enabled))}"]
    for step in steps:
        lines.append(f"  {step.name:<8} {step.result}".replace("\n", f"\n{indent}  "))
        if step.repeat and not step.result.startswith("ok"):
            lines.append(f"{indent}repeat: " + f"\n{indent}        ".join(step.repeat))
    server = "venv\\Scripts\\uvicorn" if os.name == "nt" else "venv/bin/uvicorn"
    commit = ("git add --all", 'git commit --message "Start from the template"')
    lines += ["", "Next:", *(f"  {each}" for each in (f"cd {folder}", git_init, *commit, "make run") if each)]
    lines += ["", f"Without make: {server} api.main:app --reload", "Then open http://localhost:8000/docs"]
    return "\n".join(lines)
