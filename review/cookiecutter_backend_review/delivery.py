"""Rules of what is delivered: locks, Python, the image, the pipeline."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from cookiecutter_backend_review.dockerfile import Image, final_image, from_images
from cookiecutter_backend_review.repository import Repository, SkippedError, Table, as_list, as_table, code

LOCKS = ("requirements.txt", "requirements-dev.txt")
COMMIT = re.compile(r"@[0-9a-f]{40}$|@sha256:[0-9a-f]{64}$|^[.$]/")
LOCK_CHECK = re.compile(r"make lock(?! *args)[\s\S]*git diff[^\n]* --exit-code|uv lock --(check|locked)|uv lock -\w*C")


def unlocked_requirements(repository: Repository) -> Iterator[str]:
    """The requirements are locked, with hashes.

    Every installation then gets the same files, and a package that was replaced on an index is refused.
    """
    repository.require_readable(*LOCKS)
    for name in LOCKS:
        if repository.texts[name] is None:
            yield f"`{name}` is missing"
        lines = re.sub(r"\\\r?\n", " ", repository.texts[name] or "").splitlines()
        requirements = [line.strip() for line in lines if re.match(r"\s*\w", line)]
        loose = [each for each in requirements if "==" not in each or "--hash=" not in each]
        if loose:
            yield f"`{name}`: {len(loose)} without version or hash, such as {code(loose[0].partition(' --hash')[0])}"


def unsupported_python(repository: Repository) -> Iterator[str]:
    """Every Python that is allowed is still maintained.

    A Python past its end of life gets no security fixes, and new versions of packages leave it out.
    """
    repository.require_readable("pyproject.toml")
    required = repository.table("project").get("requires-python")
    try:
        allowed = SpecifierSet(required) if isinstance(required, str) else None
    except InvalidSpecifier:
        allowed = None
    today = datetime.now(UTC).date()
    ended = [minor for minor in range(100) if end_of_life(minor) < today]
    if allowed is None:
        yield "`pyproject.toml` has no valid `requires-python`"
    elif old := [minor for minor in ended if allowed.contains(f"3.{minor}.99")]:
        yield f"`pyproject.toml`: {code(required)} allows Python 3.{old[-1]}, which has reached its end of life"
    for name in from_images(repository.texts["Dockerfile"] or ""):
        version = re.search(r"(?:^|/)python:3\.(\d+)", name)
        if version and int(version[1]) in ended:
            yield f"`Dockerfile`: {code(name)} has reached its end of life"


def end_of_life(minor: int) -> date:
    """Return when the support of Python 3.`minor` ends: five years after its release in October, by PEP 602."""
    return date(2016 + minor, 10, 31)


def image_user(repository: Repository) -> Iterator[str]:
    """The image has a user of its own.

    Code that breaks out of a container as root is root on its host.
    """
    user = image_of(repository).last("USER")
    if user is None or user.partition(":")[0] in ("root", "0"):
        yield f"`Dockerfile`: the container runs as {code(user) if user else 'the user of the base image'}"


def image_health(repository: Repository) -> Iterator[str]:
    """The image has a HEALTHCHECK.

    An engine can then restart a container that no longer serves, and compose waits for one that does.
    """
    check = image_of(repository).last("HEALTHCHECK")
    if check is None or check.upper() == "NONE":
        yield "`Dockerfile`: there is no `HEALTHCHECK`"


def image_digest(repository: Repository) -> Iterator[str]:
    """Base images are named by digest.

    A tag can mean another image tomorrow. `make pin` writes the digest that the tag has now.
    """
    for name in from_images(repository.text("Dockerfile")):
        if "@sha256:" not in name:
            yield f"`Dockerfile`: {code(name)} has no digest"


def image_of(repository: Repository) -> Image:
    """Return the image of the Dockerfile; raise SkippedError where there is none, which LAY4 reports."""
    return final_image(repository.text("Dockerfile"))


def lock_check(repository: Repository) -> Iterator[str]:
    """The pipeline checks that the locks follow pyproject.toml.

    Else a requirement can change and its lock not, and the image holds other packages than were required.
    """
    if not repository.pipelines:
        if repository.table("tool", "cookiecutter-backend").get("ci") == "none":
            raise SkippedError("the project was made with ci=none")
        yield "there is no pipeline of GitHub or GitLab"
        return
    repository.require_readable(*repository.pipelines)
    if not any(LOCK_CHECK.search(script) for pipeline in repository.pipelines.values() for script in scripts(pipeline)):
        yield "no job runs `make lock && git diff --exit-code requirements*.txt` or `uv lock --check`"


def unpinned_actions(repository: Repository) -> Iterator[str]:
    """Actions are named by commit.

    A tag of an action can be moved to other code, which then runs with the rights of the pipeline.
    """
    if not any(name.startswith(".github/") for name in repository.pipelines):
        raise SkippedError("there is no workflow of GitHub")
    for name, pipeline in repository.pipelines.items():
        for action in sorted(set(actions(pipeline))):
            if not COMMIT.search(action):
                yield f"{code(name)}: {code(action)} is not named by commit"


def jobs(pipeline: object) -> list[Table]:
    """Return the jobs of a workflow, or of GitLab's pipeline, whose jobs are at its top level."""
    table = as_table(pipeline)
    return [as_table(each) for each in (as_table(table.get("jobs")) or table).values()]


def steps(job: Table) -> list[Table]:
    """Return the steps of a workflow's job."""
    return [as_table(each) for each in as_list(job.get("steps"))]


def scripts(pipeline: object) -> Iterator[str]:
    """Return the commands of each job, in one text."""
    for job in jobs(pipeline):
        script = job.get("script")
        lines = [script, *as_list(script), *(step.get("run") for step in steps(job))]
        yield "\n".join(each for each in lines if isinstance(each, str))


def actions(pipeline: object) -> Iterator[str]:
    """Return the actions and workflows that a workflow uses."""
    for job in jobs(pipeline):
        yield from (used for each in [job, *steps(job)] if isinstance(used := each.get("uses"), str))
