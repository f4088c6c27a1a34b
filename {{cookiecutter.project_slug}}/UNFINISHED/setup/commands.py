"""Commands that run in the project within a time limit, and what their failures mean."""

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TICK_SECONDS, GRACE_SECONDS, PROBE_SECONDS = 0.1, 3.0, 10.0

# They would lead the commands to another repository, environment or Python.
REMOVED_VARIABLES = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"),
    *("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PIP_PREFIX", "PIP_TARGET"),
    *("UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON"),
}
# PIP_USER overrides `user = true` in pip.conf, which no virtual environment allows.
ADDED_VARIABLES = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0", "PYTHONUTF8": "1"}

# What commands print that could not do their work, and what they lacked.
CAUSES = {
    r"[Nn]o space left|os error 28|not enough space on the disk|Disk quota exceeded": "the disk is full",
    r"ensurepip": "ensurepip is missing (Debian and Ubuntu: apt install python3-venv)",
    r"requires BuildKit|buildx component is missing|unknown flag: --secret": (
        "BuildKit is missing (Debian and Ubuntu: apt install docker-buildx)"
    ),
    r"Cannot connect to the Docker daemon|error during connect|failed to connect to the docker API": (
        "the Docker engine is not running"
    ),
    r"NewConnectionError|Failed to resolve|[Tt]emporary failure in name resolution|tcp connect error|dns error|"
    r"network connectivity is disabled|network was disabled|dial tcp|TLS handshake timeout": (
        "there is no network, or the package index or registry cannot be reached"
    ),
}

Report = Callable[[str], None]


class StepError(Exception):
    """A step is not ok: `skipped: REASON` if it could not run, `failed: REASON` if it found a fault."""


def last_lines(output: str) -> str:
    """Return the last four lines of a command's output that hold words, each after a line break."""
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output))
    return "".join(f"\n{line.strip()[:300]}" for line in [line for line in lines if re.search(r"[A-Za-z]", line)][-4:])


def classify_failure(fault: str, output: str) -> StepError:
    """Distinguish a command that could not do its work from one that found a fault."""
    cause = next((cause for words, cause in CAUSES.items() if re.search(words, output)), None)
    return StepError((f"skipped: {cause}" if cause else f"failed: {fault}") + last_lines(output))


def end(process: subprocess.Popen[str]) -> None:
    """End a command with all that it has started: by SIGTERM, and by SIGKILL after a grace period."""
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(OSError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(GRACE_SECONDS)
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


class Runner:
    """Runs the commands of one step, one at a time, within one time limit."""

    def __init__(self, project: Path, seconds: float, report: Report, interrupted: threading.Event, step: str) -> None:
        self.project, self.doing = project, "starting"
        self.report: Report = lambda text: report(f"{step}: {text}")
        self._seconds, self._deadline, self._interrupted = seconds, time.monotonic() + seconds, interrupted

    def announce(self, doing: str) -> None:
        """Report what is done next."""
        self.raise_if_over()
        self.doing = doing
        self.report(f"{doing} ...")

    def raise_if_over(self, deadline: float = math.inf) -> None:
        """Raise StepError after an interrupt, or when the time of the step or of a command is over."""
        if self._interrupted.is_set():
            raise StepError(f"skipped: interrupted while {self.doing}")
        if time.monotonic() >= self._deadline:
            limit = f"stopped after {self._seconds:g} s while {self.doing} (BACKEND_TIMEOUT sets the limit)"
            raise StepError(f"skipped: {limit}")
        if time.monotonic() >= deadline:
            raise StepError(f"skipped: no response while {self.doing}")

    def run(self, *command: str, seconds: float = math.inf) -> str:
        """Run a command to its end and return its output.

        Raises:
            StepError: it can't be started, takes too long, is interrupted, or its exit status is not 0.
        """
        self.raise_if_over()
        deadline = time.monotonic() + seconds
        variables = {name: value for name, value in os.environ.items() if name not in REMOVED_VARIABLES}
        try:
            process = subprocess.Popen(
                command,
                cwd=self.project,
                env=variables | ADDED_VARIABLES,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # a process group of its own, which is ended as a whole
            )
        except OSError as error:
            raise StepError(f"skipped: {command[0]} cannot be started: {error.strerror}") from error
        output: str | None = None
        with process:
            while output is None:
                try:
                    output, _ = process.communicate(timeout=TICK_SECONDS)
                except subprocess.TimeoutExpired:
                    try:
                        self.raise_if_over(deadline)
                    except StepError:
                        end(process)
                        raise
        if process.returncode:
            self.raise_if_over()
            raise classify_failure(f"{Path(command[0]).stem} ended with exit code {process.returncode}", output)
        return output

    def probe(self, *command: str) -> str | None:
        """Return the output of a command, or None if it fails or takes more than ten seconds."""
        with suppress(StepError):
            return self.run(*command, seconds=PROBE_SECONDS).strip()
        return None
