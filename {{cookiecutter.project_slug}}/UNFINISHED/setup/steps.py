"""A step of finishing the project: it runs commands within a time limit, and its failure does not lose the project."""

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICK_SECONDS, GRACE_SECONDS, PROBE_SECONDS = 0.1, 3.0, 30.0

# They would lead the commands to another repository, environment or Python.
REMOVED_VARIABLES = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"),
    *("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PIP_PREFIX", "PIP_TARGET"),
    *("UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON"),
}
# PIP_USER overrides `user = true` in pip.conf, which no virtual environment allows.
ADDED_VARIABLES = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0", "PYTHONUTF8": "1"}
ADDED_VARIABLES |= {"UV_PYTHON_DOWNLOADS": "never"}

# What commands print that could not do their work, and what they lacked.
CAUSES = {
    r"[Nn]o space left|os error 28|not enough space on the disk|Disk quota exceeded": "the disk is full",
    r"ensurepip": "ensurepip is missing (apt: python3-venv)",
    r"requires BuildKit|buildx component is missing|unknown flag: --secret": "BuildKit is missing (apt: docker-buildx)",
    r"Cannot connect to the Docker daemon|Cannot connect to Podman": "the engine is not running",
    r"NewConnectionError|Failed to resolve|[Tt]emporary failure in name resolution|tcp connect error|dns error|dial tcp|"
    r"network connectivity is disabled|network was disabled|TLS handshake timeout": "the network cannot be reached",
}


class StepError(Exception):
    """A step is not ok: `skipped: REASON` if it could not run, `failed: REASON` if it found a fault."""


def classify_failure(fault: str, output: str) -> StepError:
    """Distinguish a command that could not do its work from one that found a fault, and add its last lines of words."""
    cause = next((cause for words, cause in CAUSES.items() if re.search(words, output)), None)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output))
    last = [f"\n{line.strip()[:300]}" for line in lines if re.search(r"[A-Za-z]", line) and "sha256:" not in line][-4:]
    return StepError("".join([f"skipped: {cause}" if cause else f"failed: {fault}", *last]))


def end(process: subprocess.Popen[str]) -> None:
    """End a command with all that it has started: by SIGTERM, and by SIGKILL after a grace period."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(OSError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(GRACE_SECONDS)
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


@dataclass
class Context:
    """What all steps share: the project, the seconds that each may take, where it reports, and an interrupt."""

    project: Path
    seconds: float
    report: Callable[[str], None]
    interrupted: threading.Event


@dataclass
class Step:
    """An action, and how it ended: `result` begins with `ok`, `skipped` or `failed`."""

    context: Context
    name: str
    action: Callable[["Step"], str | None]
    repeat: Sequence[str] = ()
    result: str = ""
    doing: str = "starting"
    deadline: float = math.inf

    def execute(self) -> None:
        """Run the action within the time limit, and set the result."""
        started = time.monotonic()
        self.deadline = started + self.context.seconds
        try:
            self.result = self.action(self) or f"ok ({time.monotonic() - started:.1f} s)"
        except StepError as error:
            self.result = str(error)
        except Exception as error:  # noqa: BLE001 - any error is reported, and the project stays
            self.result = str(classify_failure(f"{type(error).__name__}: {error}", str(error)))

    def announce(self, doing: str) -> None:
        """Report what is done next."""
        self._raise_if_over()
        self.doing = doing
        self.context.report(f"{self.name}: {doing} ...")

    def run(self, *command: str, seconds: float = math.inf) -> str:
        """Run a command to its end and return its output; raise StepError if it can't, or if its exit status is not 0."""
        self._raise_if_over()
        deadline = time.monotonic() + seconds
        variables = {name: value for name, value in os.environ.items() if name not in REMOVED_VARIABLES}
        try:
            process = subprocess.Popen(
                command,
                cwd=self.context.project,
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
        with process:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    output, _ = process.communicate(timeout=TICK_SECONDS)
                    break
                try:
                    self._raise_if_over(deadline)
                except StepError:
                    end(process)
                    raise
        if process.returncode:
            self._raise_if_over()
            raise classify_failure(f"{Path(command[0]).stem} ended with exit code {process.returncode}", output)
        return output

    def probe(self, *command: str) -> str | None:
        """Return the output of a command, or None if it fails or takes more than PROBE_SECONDS."""
        with suppress(StepError):
            return self.run(*command, seconds=PROBE_SECONDS).strip()
        return None

    def _raise_if_over(self, deadline: float = math.inf) -> None:
        if self.context.interrupted.is_set():
            raise StepError(f"skipped: interrupted while {self.doing}")
        if time.monotonic() >= self.deadline:
            limit = f"{self.context.seconds:g} s while {self.doing} (BACKEND_TIMEOUT sets the limit)"
            raise StepError(f"skipped: stopped after {limit}")
        if time.monotonic() >= deadline:
            raise StepError(f"skipped: no response while {self.doing}")
