"""All steps in their order: record, prune, write `.env`, check, report, and remove this package."""

import io
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from setup.checks import run_checks
from setup.env import write_env
from setup.image import image_check
from setup.options import Answers, enabled_options, is_yes, prune
from setup.origin import git, record_for_updates, write_origin
from setup.steps import Context, Step
from setup.summary import summary
from setup.venv import venv_check

CHECK_SECONDS = 900.0


def report(text: str) -> None:
    """Print a line at once; a closed stream is no error."""
    try:
        print(text, flush=True)
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is buffered would raise again at the end


def on_interrupt(event: threading.Event) -> None:
    """Set the event on Ctrl-C and when the terminal or session ends; a signal that was ignored stays so."""
    for number in {"SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"} & set(signal.Signals.__members__):
        if signal.getsignal(signal.Signals[number]) is not signal.SIG_IGN:
            signal.signal(signal.Signals[number], lambda *_: event.set())


def is_scratch_copy(answers: Answers, project: Path) -> bool:
    """Return whether `cruft diff` or `cruft update` renders the project into a temporary folder to compare it."""
    parent = project.resolve().parent
    return "_commit" in answers and parent.parent == Path(tempfile.gettempdir()).resolve() and parent.name[:3] == "tmp"


def time_limit(text: str) -> float:
    """Read BACKEND_TIMEOUT, the seconds that each check may take."""
    with suppress(ValueError):
        if 0 < float(text or CHECK_SECONDS) < float("inf"):
            return float(text or CHECK_SECONDS)
    report(f"BACKEND_TIMEOUT={text!a} is no number of seconds above 0; {CHECK_SECONDS:.0f} are used.")
    return CHECK_SECONDS


def main(project: Path) -> int:
    """Finish a project whose answers are in `UNFINISHED/answers.json`, and return the exit status.

    It is 1 where BACKEND_STRICT is set and a step is not ok; that updates can't be recorded does not count.
    """
    unfinished, interrupted = project / "UNFINISHED", threading.Event()
    answers: Answers = json.loads((unfinished / "answers.json").read_text(encoding="utf-8"))
    enabled = enabled_options(answers)
    context = Context(project, time_limit(os.environ.get("BACKEND_TIMEOUT", "")), report, interrupted)

    def prune_and_record(step: Step) -> None:
        prune(project, enabled)
        write_origin(step, answers)

    updates = Step(context, "updates", lambda step: record_for_updates(step, answers))
    files = Step(context, "files", prune_and_record, ["python UNFINISHED/finish.py"])
    env = Step(context, ".env", write_env, ["cp .env.example .env"])
    if is_scratch_copy(answers, project):
        prune_and_record(files)
        shutil.rmtree(unfinished)
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    on_interrupt(interrupted)
    report(f"Finishing {answers['project_name']} ...")
    for step in (updates, files, env):
        step.execute()
    checks = [venv_check(context, str(answers["python_version"]))] if is_yes(answers["create_venv"]) else []
    checks += [image_check(context, str(answers["project_slug"]))] if is_yes(answers["check_docker"]) else []
    if is_yes(os.environ.get("BACKEND_SKIP_SETUP", "")):
        for check in checks:
            check.result = "skipped: BACKEND_SKIP_SETUP is set"
    else:
        run_checks(checks)
    git_init = "" if git(files, project, "rev-parse", "--git-dir") else "git init --initial-branch main"
    report(summary(str(answers["project_name"]), project, enabled, [updates, files, env, *checks], git_init))
    failed = [step for step in (files, env, *checks) if not step.result.startswith("ok")]
    if files not in failed:
        shutil.rmtree(unfinished)
    if failed and is_yes(os.environ.get("BACKEND_STRICT", "")):
        report("BACKEND_STRICT is set and not all is ok: a new project is deleted, but with --keep-project-on-failure.")
        return 1
    return 0
