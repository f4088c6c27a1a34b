"""Format, style, types, import rules and migrations: of this repository, of the template where it lies, of every bake."""

import json
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import (
    EVERY_COMBINATION,
    PAIRWISE,
    ROOT,
    TEMPLATE,
    Answer,
    Bake,
    Project,
    every_combination,
    named,
    run,
    tool,
)

# What shows that a package is used, where it is not imported under its own name.
EVIDENCE = {
    "email-validator": "EmailStr",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry-sdk": "opentelemetry.sdk",
    "pyjwt": "import jwt",
    "python-multipart": "Form(",
}

# Modules for the first entity of the project's own, which nothing imports before.
READY_FOR_USE = {
    "api.models",
    "api.dependencies.pagination",
    "api.models.base",
    "api.schemas.base",
    "api.schemas.types",
    "api.schemas.pagination",
    "api.services.pagination",
}


def check(project: Path, environment: Path, scratch: Path) -> dict[str, str]:
    """Run what `make lint` runs, without leaving a trace in the project; give the output of what fails."""
    database = {"DATABASE_URL": f"sqlite:///{scratch / 'schema.db'}"}
    results = {
        "format": run((environment / "ruff", "format", "--no-cache", "--check", "."), cwd=project),
        "lint": run((environment / "ruff", "check", "--no-cache", "."), cwd=project),
        "types": run((environment / "mypy",), cwd=project),
        "imports": run((environment / "lint-imports", "--no-cache"), cwd=project),
        "upgrade": run((environment / "alembic", "upgrade", "head"), cwd=project, env=database),
        "migrations": run((environment / "alembic", "check"), cwd=project, env=database),
    }
    return {name: result.stdout + result.stderr for name, result in results.items() if result.returncode != 0}


def what_is_checked(project: Project) -> tuple[tuple[str, str], ...]:
    """All that the checks read; the answers themselves are none of it."""
    return tuple(
        (name, project.text_without_answers(name)) for name in project.files() if name.endswith((".py", ".toml"))
    )


CHECKED: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}


@pytest.mark.slow
@every_combination
def test_every_combination_passes_its_own_checks(
    bake: Bake, environment: Path, tmp_path: Path, answers: dict[str, Answer]
) -> None:
    project = bake(**answers)
    code = what_is_checked(project)
    if code not in CHECKED:  # pipelines and manifests hold none
        CHECKED[code] = check(project.path, environment, tmp_path)
    assert CHECKED[code] == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    [answers for answers in EVERY_COMBINATION if answers["ci"] == "none" and not answers["kubernetes"]],
    ids=named,
)
def test_no_module_setting_or_package_of_any_combination_is_unused(
    bake: Bake, environment: Path, answers: dict[str, Answer]
) -> None:
    project = bake(**answers)
    files = {name: project.text(name) for name in project.files() if name.endswith((".py", "Dockerfile"))}
    show = (
        "import json, sys; import api.main; from api.dependencies.settings import Settings;"
        "print(json.dumps([[name for name in sys.modules if name.startswith('api')], [*Settings.model_fields]]))"
    )
    modules, settings = json.loads(project.run(environment / "python", "-c", show).stdout)
    there = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in files
        if name.startswith("api/")
    }
    assert there - set(modules) <= READY_FOR_USE

    code = "".join(text for name, text in files.items() if not name.startswith("tests/"))
    assert [name for name in settings if not re.search(rf"settings\.{name}|self\.{name}", code)] == []

    asked = tomllib.loads(project.text("pyproject.toml"))["project"]["dependencies"]
    packages = [re.split(r"[^\w-]", each)[0] for each in asked]
    assert [name for name in packages if EVIDENCE.get(name, name.replace("-", "_")) not in code] == []


def test_every_field_of_every_request_has_an_example(bake: Bake, environment: Path) -> None:
    show = "import json; from api.main import app; print(json.dumps(app.openapi()))"
    schema = json.loads(bake().run(environment / "python", "-c", show).stdout)
    models = [
        content["schema"]["$ref"].split("/")[-1]
        for operations in schema["paths"].values()
        for operation in operations.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    fields = {
        (model, name): field.get("examples")
        for model in models
        for name, field in schema["components"]["schemas"][model]["properties"].items()
    }
    assert fields["BudgetCreate", "name"] == ["Household"]
    assert fields["UserCreate", "email"] == ["ada@example.com"]
    assert [field for field, examples in fields.items() if not examples] == []


DEFAULTS = """
import json
from api.dependencies.settings import Settings
fields = Settings.model_fields.items()
print(json.dumps({name.upper(): None if field.default_factory else field.default for name, field in fields}, default=str))
"""


@pytest.mark.parametrize("answers", PAIRWISE, ids=named)
def test_the_example_of_env_and_the_readme_list_every_setting_with_its_default(
    bake: Bake, environment: Path, answers: dict[str, Answer]
) -> None:
    project = bake(**answers)
    defaults = json.loads(project.run(environment / "python", "-c", DEFAULTS).stdout)
    shown = {name: "" if value in (None, []) else str(value).removesuffix(".0") for name, value in defaults.items()}
    example = dict(re.findall(r"(?m)^(?:# )?([A-Z_]+)=(.*)$", project.text(".env.example")))
    assert {name: value for name, value in example.items() if name != "POSTGRES_PASSWORD"} == shown
    assert dict(re.findall(r"(?m)^\| `((?!OTEL_)[A-Z_]+)` \| (?:`([^`]*)`)?", project.text("README.md"))) == shown


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
def test_the_dockerfile_follows_the_rules_of_hadolint(bake: Bake, option: dict[str, Answer]) -> None:
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


def test_contributing_says_what_every_test_module_shows() -> None:
    named = re.findall(r"\btests/test_\w+\.py", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert sorted(set(named)) == [f"tests/{path.name}" for path in sorted((ROOT / "tests").glob("test_*.py"))]
