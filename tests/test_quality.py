"""Format, style, types, import rules and migrations: of this repository, of the template where it lies, of every bake."""

import os
import sys
from pathlib import Path

import pytest

from conftest import ROOT, TEMPLATE, Bake, every_combination, run, tool

Answers = dict[str, str | bool]


def check(project: Path, environment: Path, scratch: Path) -> dict[str, str]:
    """Run what `make lint` runs, without leaving a trace in the project; give the output of what fails."""
    database = {"DATABASE_URL": f"sqlite:///{scratch / 'schema.db'}"}
    results = {
        "format": run((environment / "ruff", "format", "--no-cache", "--check", "."), cwd=project),
        "lint": run((environment / "ruff", "check", "--no-cache", "."), cwd=project),
        "types": run((environment / "mypy", "--cache-dir", environment / ".mypy_cache"), cwd=project),
        "imports": run((environment / "lint-imports", "--no-cache"), cwd=project),
        "upgrade": run((environment / "alembic", "upgrade", "head"), cwd=project, env=database),
        "migrations": run((environment / "alembic", "check"), cwd=project, env=database),
    }
    return {name: result.stdout + result.stderr for name, result in results.items() if result.returncode != 0}


@pytest.mark.slow
@every_combination
def test_every_combination_passes_its_own_checks(
    bake: Bake, environment: Path, tmp_path: Path, answers: Answers
) -> None:
    assert check(bake(**answers).path, environment, tmp_path) == {}


@pytest.mark.slow
def test_the_template_passes_the_checks_where_it_lies(environment: Path, tmp_path: Path) -> None:
    assert check(TEMPLATE, environment, tmp_path) == {}


@pytest.mark.slow
def test_the_template_passes_its_tests_where_it_lies(environment: Path) -> None:
    done = run((environment / "pytest", "-q", "-p", "no:cacheprovider"), cwd=TEMPLATE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["A", "Invoices – Ünïcode", 'The "Best"', "O'Brien & Söhne", "x" * 200, "zzz 🍪"])
def test_the_name_does_not_decide_whether_the_checks_pass(bake: Bake, environment: Path, name: str) -> None:
    project = bake(project_name=name, project_slug="shop", description=name)
    for command in (("format", "--check"), ("check",)):
        done = project.run(environment / "ruff", *command, "--no-cache", ".")
        assert done.returncode == 0, done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="hadolint is installed on Linux alone")
@pytest.mark.parametrize("option", [{}, {"database": "sqlite"}])
def test_the_dockerfile_follows_the_rules_of_hadolint(bake: Bake, option: Answers) -> None:
    done = bake(**option).run(tool("hadolint"), "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no make")
def test_this_repository_is_formatted_linted_and_typed() -> None:
    done = run(("make", "lint"), cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflows_follow_their_schema_and_hold_no_known_weakness() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    schema = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
    for command in (schema, ("zizmor", "--offline", "--quiet")):
        done = run((tool(command[0]), *command[1:], *workflows), cwd=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
