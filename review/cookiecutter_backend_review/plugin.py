"""The entry points: the checks, their families, and `pyproject.toml`."""

import importlib.metadata
import inspect
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from repo_review import fixtures
from repo_review.families import Family

from cookiecutter_backend_review import delivery, endpoints, layout, template
from cookiecutter_backend_review.rendering import DISTRIBUTION
from cookiecutter_backend_review.repository import Repository, SkippedError, as_table, is_selection


class Rule(NamedTuple):
    """A rule of docs/layout.md. The docstring of `find`, which returns the faults, has the rule and its reason."""

    family: str
    anchor: str
    find: Callable[[Repository], Iterator[str]]


FAMILIES = {
    "layout": Family(name="Layout", order=1),
    "imports": Family(name="Imports", order=2),
    "endpoints": Family(name="Routers and services", order=3),
    "packages": Family(name="Packages", order=4),
    "image": Family(name="Image", order=5),
    "pipeline": Family(name="Pipeline", order=6),
    "template": Family(name="Template", order=7),
}

RULES = {
    "LAY1": Rule("layout", "readable-files", layout.unreadable_files),
    "LAY2": Rule("layout", "packages", layout.undocumented_packages),
    "LAY3": Rule("layout", "file-names", layout.file_names),
    "LAY4": Rule("layout", "files", layout.missing_files),
    "LAY5": Rule("layout", "migrations", layout.missing_migrations),
    "IMP1": Rule("imports", "import-direction", layout.import_direction),
    "IMP2": Rule("imports", "no-http", layout.http_imports),
    "IMP3": Rule("imports", "no-sql", layout.sql_imports),
    "IMP4": Rule("imports", "models-in-annotations", layout.models_in_routers),
    "END1": Rule("endpoints", "short-bodies", endpoints.long_bodies),
    "END2": Rule("endpoints", "services", endpoints.routers_without_service),
    "END3": Rule("endpoints", "responses", endpoints.undeclared_responses),
    "END4": Rule("endpoints", "domain-errors", endpoints.http_exceptions),
    "PKG1": Rule("packages", "locks", delivery.unlocked_requirements),
    "PKG2": Rule("packages", "python", delivery.unsupported_python),
    "IMG1": Rule("image", "user", delivery.image_user),
    "IMG2": Rule("image", "healthcheck", delivery.image_health),
    "IMG3": Rule("image", "digest", delivery.image_digest),
    "CI1": Rule("pipeline", "lock-check", delivery.lock_check),
    "CI2": Rule("pipeline", "actions", delivery.unpinned_actions),
    "TPL1": Rule("template", "record", template.missing_record),
    "TPL2": Rule("template", "newest-release", template.behind),
    "TPL3": Rule("template", "template-files", template.changed_files),
}


class Check:
    """A rule that is applied to one repository, in the form that repo-review takes."""

    def __init__(self, repository: Repository, rule: Rule, page: str) -> None:
        """Prepare the check; repo-review formats the docstring after the check, so it also says why one is skipped."""
        self.__doc__ = "{self.description}"
        self.family, self.url = rule.family, f"{page}#{rule.anchor}"
        self.description, _, self._reason = (inspect.getdoc(rule.find) or "").partition("\n\n")
        self.description = self.description.rstrip(".")
        self._repository, self._rule = repository, rule

    def check(self) -> str | None:
        """Return nothing where the rule is kept, else its reason and the faults; None where it can't be applied."""
        try:
            faults = list(self._rule.find(self._repository))
        except SkippedError as skipped:
            self.description += f" ({skipped})"
            return None
        return "\n".join([self._reason, "", *(f"- {fault}" for fault in faults)]) if faults else ""


def layout_page() -> str:
    """Return the address of docs/layout.md: in the template that BACKEND_TEMPLATE names, or else in this package's."""
    address = os.environ.get("BACKEND_TEMPLATE", "").removesuffix(".git")
    if re.fullmatch(r"https://[\w./~:-]+", address):
        return f"{address}/blob/HEAD/docs/layout.md"
    urls: list[str] = importlib.metadata.metadata(DISTRIBUTION).get_all("Project-URL") or []
    return next(url.removeprefix("Layout, ") for url in urls if url.startswith("Layout, "))


def repo_review_checks(root: Traversable, package: Traversable) -> dict[str, Check]:
    """Return the checks of a repository, by name."""
    repository, page = Repository(root, package), layout_page()
    return {name: Check(repository, rule, page) for name, rule in RULES.items()}


def repo_review_families() -> dict[str, Family]:
    """Return the families of the checks."""
    return dict(FAMILIES)


def pyproject(package: Traversable) -> dict[str, Any]:
    """Return `pyproject.toml`, or an empty table; what repo-review could not read in its own table is left out."""
    try:
        table = tomllib.loads(package.joinpath("pyproject.toml").read_bytes().decode())
    except (OSError, ValueError, RecursionError):
        return {}
    tool = as_table(table.get("tool"))
    selections = {name: value for name, value in as_table(tool.get("repo-review")).items() if is_selection(value)}
    return {**table, "tool": {**tool, "repo-review": selections}}


# repo-review's own fixture raises an exception where the file is not valid, which would end the report on all other
# repositories. Both are entry points of the same name, which are loaded in no defined order; so both lead to this one.
fixtures.pyproject = pyproject
