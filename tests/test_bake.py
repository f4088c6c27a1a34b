"""What a generated project holds, and what it does not."""

import fnmatch
import json
import os
import re
import tomllib
from collections.abc import Iterator

import pytest
import yaml

from conftest import PAIRWISE, ROOT, TEMPLATE, Answer, Bake, every_combination, named
from setup import options

LOCKS = {"requirements.txt", "requirements-dev.txt"}

# An example's name would count as a word of it.
PLAIN = {"project_name": "Shop", "description": "Sells."}

# Words that belong to an option, in small letters.
WORDS = {
    "database=postgresql": ("postgres", "asyncpg", "psql", "pg_", "pgbouncer", "replicas.yaml"),
    "example": ("budget", "transactions"),
    "auth": (
        *("api/auth", "auth.py", "/users", "users.py", "user_id", "current_user", "owner"),
        *(
            "users and logins",
            "passwords",
            "access_token",
            "refresh_token",
            "jwt",
            "pwdlib",
            "argon2",
            "multipart",
            "secret_key",
        ),
    ),
    "telemetry": ("telemetry", "otel_", "otlp", "collector", "trace_id", "4318"),
    "ci=github": ("github", "dependabot"),
    "ci=gitlab": ("gitlab",),
    "kubernetes": ("kube", "kustom", "deploy/", "replica"),
}
NEEDED_ALL_THE_SAME = {
    *(f"{name}: telemetry" for name in LOCKS),  # fastapi needs opentelemetry-api
    *(f"api/__init__.py: {word}" for word in ("telemetry", "otel_")),  # and fails for an unknown propagator
    "deploy/base/replicas.yaml: budget",  # PodDisruptionBudget
    "compose.yaml: owner",  # FOWNER
}


def template_files() -> Iterator[str]:
    """Yield the names of the template's files, as cookiecutter sees them."""
    yield from sorted(path.relative_to(TEMPLATE).as_posix() for path in TEMPLATE.rglob("*") if path.is_file())


def has_value(name: str) -> bool:
    """Whether cookiecutter writes an answer into the file; other braces are the file's own."""
    return "{{ cookiecutter" in (TEMPLATE / name).read_text(encoding="utf-8")


def test_the_layout_is_the_documented_one(bake: Bake) -> None:
    project = bake()
    rooms = {path.name for path in (project.path / "api").iterdir()}
    assert rooms == {"dependencies", "models", "routers", "schemas", "services", "__init__.py", "main.py"}
    assert all(project.has(name) for name in ("requirements.txt", ".gitignore", "Dockerfile", "README.md"))


def test_the_default_project_can_be_read_in_an_hour(bake: Bake) -> None:
    project = bake()
    files = set(project.files()) - {".env"}
    assert len(files) <= 95
    read_piece_by_piece = {*LOCKS, "docs/recipes.md"}
    assert {name for name in files - read_piece_by_piece if project.text(name).count("\n") > 300} == set()


def test_one_entity_has_one_file_name_in_every_room(bake: Bake) -> None:
    project = bake()
    for room in ("dependencies", "models", "routers", "schemas", "services"):
        assert project.has(f"api/{room}/budgets.py")


@every_combination
def test_nothing_is_left_unrendered(bake: Bake, answers: dict[str, Answer]) -> None:
    project = bake(**answers)
    for name in project.files():
        text = project.text(name)
        left = [
            word
            for word in ("{{ cookiecutter", "cookiecutter.", "{%", "# option:", "<!-- option:", "# end:")
            if word in text
        ]
        assert left == [], name
        assert "\r" not in text, name
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name


@every_combination
def test_every_file_parses(bake: Bake, answers: dict[str, Answer]) -> None:
    project = bake(**answers)
    for name in project.files():
        match name.rpartition(".")[2]:
            case "py":
                compile(project.text(name), name, "exec")
            case "toml":
                tomllib.loads(project.text(name))
            case "yaml" | "yml":
                list(yaml.safe_load_all(project.text(name)))


@every_combination
def test_no_folder_is_empty(bake: Bake, answers: dict[str, Answer]) -> None:
    assert [folder for folder, names, files in os.walk(bake(**answers).path) if not names and not files] == []


@every_combination
def test_what_was_declined_leaves_no_word(bake: Bake, answers: dict[str, Answer]) -> None:
    project = bake(**PLAIN, **answers)
    enabled = options.enabled_options({"python_version": "3.13", **answers})
    words = [word for option, words in WORDS.items() if option not in enabled for word in words]
    texts = {name: project.text(name).lower() for name in project.files() if name != ".env"}
    texts |= {name: re.sub(r".*--hash=.*\n", "", texts[name]) for name in LOCKS}
    texts["pyproject.toml"] = project.text_without_answers("pyproject.toml").lower()
    left = [f"{name}: {word}" for name, text in texts.items() for word in words if word in text]
    assert [trace for trace in left if trace not in NEEDED_ALL_THE_SAME] == []


@every_combination
def test_what_was_declined_leaves_no_file(bake: Bake, answers: dict[str, Answer]) -> None:
    enabled = options.enabled_options({"python_version": "3.13", **answers})
    patterns = [names for option, names in options.OPTION_FILES.items() if not options.is_enabled(option, enabled)]
    declined = {
        path.relative_to(TEMPLATE).as_posix()
        for pattern in ("UNFINISHED/**/*", *(name for names in patterns for name in names))
        for path in TEMPLATE.glob(pattern)
    }
    assert set(bake(**answers).files()) == {*template_files(), ".env"} - declined


@pytest.mark.parametrize("answers", PAIRWISE, ids=named)
def test_the_composition_hands_on_every_setting(bake: Bake, answers: dict[str, Answer]) -> None:
    project = bake(**answers)
    handed_on = yaml.safe_load(project.text("compose.yaml"))["services"]["api"]["environment"]
    settings = set(re.findall(r"^\| `((?!OTEL_)[A-Z_]+)` ", project.text("README.md"), re.MULTILINE))
    where_the_volume_is = {"SQLITE_FILE"} | ({"DATABASE_URL"} if answers["database"] == "sqlite" else set())
    assert settings - where_the_volume_is <= set(handed_on)


@pytest.mark.parametrize("answers", PAIRWISE, ids=named)
def test_every_service_of_the_composition_restarts_and_has_limits_and_no_rights(
    bake: Bake, answers: dict[str, Answer]
) -> None:
    services = yaml.safe_load(bake(**answers).text("compose.yaml"))["services"]
    for name, service in services.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
        assert (service["read_only"], service["cap_drop"]) == (name != "db", ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}
        assert service.keys() >= {"cpus", "mem_limit", "pids_limit"}
    [published] = [port for service in services.values() for port in service.get("ports", ())]
    assert published == "${PUBLISH:-127.0.0.1:8000}:5000"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_image_has_the_python_that_was_asked_for(bake: Bake, version: str) -> None:
    dockerfile = bake(python_version=version).text("Dockerfile")
    stages = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM")]
    assert stages == [f"python:{version}-slim", "base", "base"]


@pytest.mark.parametrize("answers", PAIRWISE, ids=named)
def test_a_project_records_where_it_comes_from_and_what_it_has(bake: Bake, answers: dict[str, Answer]) -> None:
    record = tomllib.loads(bake(**answers).text("pyproject.toml"))["tool"]["cookiecutter-backend"]
    assert record.items() >= {**answers, "python_version": "3.13"}.items()
    assert record.keys() - answers.keys() == {"template", "commit", "python_version"}


def test_equal_answers_give_equal_projects(bake: Bake) -> None:
    first, second = bake(), bake(project_name="Budget API")
    assert first.path != second.path
    assert first.files() == second.files()
    assert [name for name in first.files() if first.text(name) != second.text(name)] == [".env"]


def test_exactly_the_files_without_a_value_are_copied_unrendered() -> None:
    patterns = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_copy_without_render"]
    # Cookiecutter's patterns reach into folders, and a folder that matches is removed before it is copied.
    paths = [path.relative_to(TEMPLATE).as_posix() for path in TEMPLATE.rglob("*")]
    copied = {path for path in paths if any(fnmatch.fnmatch(path, pattern) for pattern in patterns)}
    setup = {name for name in template_files() if name.startswith("UNFINISHED/setup/")}
    assert copied - {"UNFINISHED/setup"} | setup == {name for name in template_files() if not has_value(name)}


def test_one_python_file_holds_values_and_none_holds_a_statement() -> None:
    python = [name for name in template_files() if name.endswith(".py")]
    assert [name for name in python if has_value(name)] == ["api/__init__.py"]
    assert [name for name in python if "{%" in (TEMPLATE / name).read_text(encoding="utf-8")] == []


def test_no_file_of_the_template_branches() -> None:
    assert [name for name in template_files() if "{%" in (TEMPLATE / name).read_text(encoding="utf-8")] == []


def test_every_answer_has_a_plain_question() -> None:
    settings = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    questions = {name: value for name, value in settings.items() if not name.startswith("_")}
    prompts = settings["__prompts__"]
    assert list(prompts) == list(questions)
    for name, value in questions.items():
        if isinstance(value, list):
            assert list(prompts[name]) == ["__prompt__", *value]
