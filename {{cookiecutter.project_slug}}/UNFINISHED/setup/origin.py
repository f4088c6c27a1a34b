"""Where the project comes from: a table in `pyproject.toml` for `make resource`, and `.cruft.json` for updates."""

import json
import os
import re
from pathlib import Path

from setup.options import CHOICES, SWITCHES, Answers, is_yes
from setup.steps import Step, StepError

TABLE = "[tool.cookiecutter-backend]"
READ_BY_COOKIECUTTER = ("cookiecutter.json", "hooks", "*cookiecutter.project_slug*")


def git(step: Step, folder: Path, *arguments: str) -> str:
    """Return what git prints about a repository, which is not changed; empty where it fails."""
    return step.probe("git", "--no-optional-locks", "-C", str(folder), *arguments) or ""


def template_folder(answers: Answers) -> Path | None:
    """Return the folder that the template was rendered from; cookiecutter passes a relative one as it was typed."""
    bases = (str(base) for base in (os.environ.get("PWD"), answers.get("_output_dir")))
    folders = (Path(os.path.normpath(Path(base, str(answers.get("_repo_dir"))))) for base in bases)
    found = (folder for folder in folders if folder.is_absolute() and (folder / "resource/cookiecutter.json").is_file())
    return next(found, None)


def write_origin(step: Step, answers: Answers) -> None:
    """Add the template's address or absolute path, its commit and the options to `pyproject.toml`."""
    path, cruft = step.context.project / "pyproject.toml", step.context.project / ".cruft.json"
    text = path.read_text(encoding="utf-8")
    if TABLE in text:
        return
    template, commit = answers.get("_template"), answers.get("_commit")
    if cruft.is_file():
        record = json.loads(cruft.read_text(encoding="utf-8"))
        template, commit = record["template"], record["commit"]
    elif commit is None and (folder := template_folder(answers)):
        template = str(folder) if template == answers.get("_repo_dir") else template
        commit = git(step, folder, "rev-parse", "--verify", "HEAD")
    values = {"template": template, "commit": commit or "", **{name: answers[name] for name in CHOICES}}
    values |= {name: is_yes(answers[name]) for name in SWITCHES}
    lines = ["", TABLE, *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()), ""]
    path.write_text(text + "\n".join(lines), encoding="utf-8", newline="\n")


def record_for_updates(step: Step, answers: Answers) -> str:
    """Write `.cruft.json` as `cruft create` does, in ASCII, since cruft reads it in the locale's encoding.

    It holds the address of the template's repository as it was configured, without credentials; `git remote get-url`
    applies `insteadOf`, which may hold a token. Raise StepError where others could not find the template as it was used.
    """
    if "_commit" in answers:
        return "ok (by cruft)"
    path = step.context.project / ".cruft.json"
    path.unlink(missing_ok=True)
    folder, obstacle = template_folder(answers) or step.context.project, ""
    if not git(step, folder, "ls-files", "cookiecutter.json"):
        obstacle = "the template is in no git repository, or git is missing"
    elif git(step, folder, "status", "--porcelain", "--", *READ_BY_COOKIECUTTER):
        obstacle = "the template has changes that are not committed"
    elif not git(step, folder, "for-each-ref", "--count=1", "--contains=HEAD", "refs/remotes", "refs/tags"):
        obstacle = "the template's commit is not pushed"
    address = re.sub(r"^(https?://)[^/]*@", r"\1", git(step, folder, "config", "--get", "remote.origin.url"))
    is_local = not re.match(r"[\w+.-]+://|[^/\\:]{2,}:", address) or address.startswith("file://")
    if is_local and not (address.startswith("file://") and "://" in str(answers.get("_template"))):
        obstacle = obstacle or "the template's repository has no remote `origin` with an address"
    if obstacle:
        raise StepError(f"skipped: {obstacle}\n`cruft update` won't work; `cruft link ADDRESS` makes it possible later")
    commit = git(step, folder, "rev-parse", "HEAD")
    context = {name: value for name, value in answers.items() if name not in ("_output_dir", "_repo_dir", "_checkout")}
    record = {
        "template": address,
        "commit": commit,
        "checkout": answers.get("_checkout"),
        "context": {"cookiecutter": {**context, "_template": address, "_commit": commit}},
        "directory": git(step, folder, "rev-parse", "--show-prefix").rstrip("/") or None,
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="ascii", newline="\n")
    return "ok (cruft can update the project)"
