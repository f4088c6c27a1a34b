"""Rules of the template: what a project records of it, whether it is behind, and what was changed by hand."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cookiecutter_backend_review.rendering import digest_of, git, has_commit, open_template, rendered
from cookiecutter_backend_review.repository import Repository, SkippedError, as_table, code


class Record(NamedTuple):
    """What a project records of its template; the answers are complete only in `.cruft.json`."""

    commit: str
    answers: dict[str, object]


def missing_record(repository: Repository) -> Iterator[str]:
    """The project records its template and the commit that it was made from.

    Without them it can't be updated. `cruft link ADDRESS` records them later.
    """
    repository.require_readable(".cruft.json", "pyproject.toml")
    if not recorded(repository).commit:
        yield "neither `.cruft.json` nor `[tool.cookiecutter-backend]` of `pyproject.toml` names a commit"


def behind(repository: Repository) -> Iterator[str]:
    """The project has the newest release of the template.

    Fixes of the template reach a project by updates alone: `make update`.
    """
    template, commit = open_template(), required_commit(repository)
    if not has_commit(template, commit):
        yield f"commit {code(commit)} is not in the template"
        return
    count = int(git(template.folder, "rev-list", "--count", f"{commit}..{template.release}"))
    if count:
        yield f"{code(commit[:7])} is {count} commit{'s' * (count > 1)} behind {code(template.release)}"


def changed_files(repository: Repository) -> Iterator[str]:
    """Files that the template owns are as it renders them.

    Each of them can conflict with the next update. What a project needs otherwise is a change of the template.
    """
    template, commit = open_template(), required_commit(repository)
    if not has_commit(template, commit):
        raise SkippedError("the recorded commit is not in the template")
    for name, digest in sorted(rendered(template, commit, usable_answers(repository)).items()):
        try:
            content = repository.content(name) if repository.has(name) else None
        except (OSError, UnicodeDecodeError):
            content = b""
        if content is None or digest_of(content) != digest:
            yield f"{code(name)} was {'changed' if content is not None else 'removed'}"


def recorded(repository: Repository) -> Record:
    """Return what `.cruft.json` records, or else the table in `pyproject.toml`."""
    table = repository.cruft or repository.table("tool", "cookiecutter-backend")
    answers = as_table(as_table(repository.cruft.get("context")).get("cookiecutter"))
    commit = table.get("commit") if table.get("template") else None
    return Record(commit if isinstance(commit, str) else "", answers)


def required_commit(repository: Repository) -> str:
    """Return the recorded commit; raise SkippedError where TPL1 reports that there is none."""
    commit = recorded(repository).commit
    if not commit:
        raise SkippedError("no commit of the template is recorded")
    return commit


def usable_answers(repository: Repository) -> dict[str, str]:
    """Return the recorded answers; raise SkippedError where cookiecutter would evaluate them or leave its folder."""
    answers = {
        name: str(value) for name, value in recorded(repository).answers.items() if re.fullmatch(r"[a-z]\w*", name)
    }
    if not answers:
        raise SkippedError(".cruft.json holds no answers")
    slug_is_safe = re.fullmatch(r"[a-z0-9-]+", answers.get("project_slug", ""))
    if not slug_is_safe or any(re.search(r"\{[{%#]", value) for value in answers.values()):
        raise SkippedError("the recorded answers are not those of a project")
    return answers
