"""A generated project at work: its own commands, its tests on both databases, its server over HTTP, its README."""

import itertools
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from conftest import EVERY_COMBINATION, PAIRWISE, ROOT, Answer, Bake, Project, installed, named, path_with_uv, run, tool
from repository import git
from web import ask, free_port, sign_in, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell"),
]


def test_its_tests_and_checks_pass_at_once_and_leave_nothing_behind(copy: Project) -> None:
    before = copy.files()
    done = copy.run("make", "lint", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pip install" not in done.stdout
    left = set(copy.files()) - set(before)
    assert {name for name in left if "_cache/" not in name and "__pycache__" not in name} == set()


@pytest.mark.parametrize("answers", PAIRWISE, ids=named)
def test_its_tests_pass_with_exactly_the_packages_that_it_locks(
    bake: Bake, postgresql: str, answers: Mapping[str, Answer]
) -> None:
    project = bake(**answers)
    pytest = installed(project.path / "requirements-dev.txt") / "pytest"
    servers = [""] if answers["database"] == "sqlite" else ["", postgresql]
    for server in servers:
        done = project.run(pytest, "-q", "-p", "no:cacheprovider", env={"TEST_DATABASE_URL": server})
        assert done.returncode == 0, done.stdout
        assert "skipped" not in done.stdout.splitlines()[-1]


def test_its_tests_pass_whatever_settings_are_exported_in_the_shell(bake: Bake, environment: Path) -> None:
    exported = {
        "ENVIRONMENT": "production",
        "DATABASE_URL": "postgresql://user:password@192.0.2.1/none?sslmode=require",
        "SQLITE_FILE": "/nowhere/app.db",
        "MAX_BODY_BYTES": "1024",
        "DATABASE_POOL_SIZE": "1",
        "DATABASE_MAX_OVERFLOW": "1",
        "DATABASE_TIMEOUT": "1",
        "SECRET_KEY": "0123456789abcdef" * 4,
        "REGISTRATION": "closed",
        "ALLOWED_HOSTS": "api.example.com",
        "CORS_ORIGINS": "https://app.example.com",
        "DOCS": "false",
        "FORWARDED_ALLOW_IPS": "*",
        "LOG_LEVEL": "CRITICAL",
        "DRAIN_SECONDS": "30",
        "WEB_CONCURRENCY": "3",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        **dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none"),
    }
    project = bake(telemetry=True)
    rows = re.findall(r"^\| (`[A-Z_`, ]+) \|", project.text("README.md"), re.MULTILINE)
    assert set(re.findall(r"[A-Z_]{4,}", " ".join(rows))) == set(exported)
    done = project.run(environment / "pytest", "-q", "-p", "no:cacheprovider", env=exported)
    assert done.returncode == 0, done.stdout


def test_any_two_choices_meet_in_a_combination_whose_tests_run() -> None:
    def pairs(combinations: list[dict[str, Answer]]) -> set[tuple[tuple[str, Answer], ...]]:
        return {pair for answers in combinations for pair in itertools.combinations(answers.items(), 2)}

    assert pairs(PAIRWISE) == pairs(EVERY_COMBINATION)


@pytest.mark.parametrize(("example", "auth"), [(False, True), (True, False), (False, False)])
def test_generated_requests_get_documented_responses(
    bake: Bake, environment: Path, *, example: bool, auth: bool
) -> None:
    done = bake(example=example, auth=auth).run(environment / "pytest", "-q", "-p", "no:cacheprovider", "tests/fuzz.py")
    assert done.returncode == 0, done.stdout


def test_generated_requests_get_documented_responses_on_postgresql(
    bake: Bake, environment: Path, postgresql: str
) -> None:
    database = {"TEST_DATABASE_URL": postgresql}
    done = bake().run(environment / "pytest", "-q", "-p", "no:cacheprovider", "tests/fuzz.py", env=database)
    assert done.returncode == 0, done.stdout


@contextmanager
def running(project: Project, command: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command that serves until it is interrupted, with all that it starts."""
    server = subprocess.Popen(
        ["bash", "-c", command],
        cwd=project.path,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield server
    finally:
        os.killpg(server.pid, signal.SIGINT)
        output, _ = server.communicate(timeout=20)
        assert "Traceback" not in output, output


def test_a_request_takes_its_seven_steps_over_http(copy: Project) -> None:
    port = free_port()
    with running(copy, f"venv/bin/uvicorn api.main:app --port {port}"):
        walk_through_the_example(f"http://127.0.0.1:{port}")


def test_a_request_takes_its_seven_steps_on_postgresql(copy: Project, postgresql: str) -> None:
    port = free_port()
    server = f"http://127.0.0.1:{port}"
    with running(copy, f"venv/bin/uvicorn api.main:app --port {port}", DATABASE_URL=postgresql):
        behind = wait_for(f"{server}/readyz")
        assert (behind.status, behind.body["type"]) == (503, "urn:problem:schema-behind")
        migrated = copy.run("make", "migrate", env={"DATABASE_URL": postgresql})
        assert migrated.returncode == 0, migrated.stderr
        walk_through_the_example(server)


def walk_through_the_example(server: str) -> None:
    """Use each feature of the worked example once."""
    budgets = f"{server}/v1/budgets"

    about = wait_for(f"{server}/")
    assert about.body == {"name": "Budget API", "version": "0.1.0", "docs": "/docs"}
    assert ask("GET", f"{server}/readyz").status == 200
    assert ask("GET", budgets).status == 401
    as_ada = partial(ask, token=sign_in(server))

    invalid = as_ada("POST", budgets, {"name": "", "limit": "many"})
    assert invalid.status == 422
    assert invalid.headers["content-type"] == "application/problem+json"
    assert len(invalid.body["errors"]) == 2

    created = as_ada("POST", budgets, {"name": "Household", "limit": "100.00"})
    assert created.status == 201
    budget = f"{server}{created.headers['location']}"
    assert as_ada("GET", budget).body == created.body

    assert as_ada("POST", budgets, {"name": "Household", "limit": "5.00"}).status == 409
    assert as_ada("POST", budgets, {"name": "Car", "limit": "5.00", "colour": "red"}).status == 422
    assert as_ada("PATCH", budget, {"name": None}).status == 422
    assert as_ada("GET", f"{budgets}?limit=100000").status == 422

    for amount in ("0.10", "0.20", "33.33"):
        spent = as_ada("POST", f"{budget}/transactions", {"amount": amount, "description": "Milk"})
        assert spent.status == 201
        assert as_ada("GET", f"{server}{spent.headers['location']}").body == spent.body
    assert as_ada("POST", f"{budget}/transactions", {"amount": "66.38", "description": "Too much"}).status == 409
    summary = {"limit": "100.00", "spent": "33.63", "remaining": "66.37", "transactions": 3}
    assert as_ada("GET", f"{budget}/summary").body == summary

    unknown = as_ada("GET", f"{server}/nowhere")
    assert unknown.status == 404
    assert unknown.headers["content-type"] == "application/problem+json"
    assert unknown.body["request_id"] == unknown.headers["x-request-id"]


RUN_ELSEWHERE = ("docker", "make update", "make lint", "make test")
"""Words of the commands in a project's README that have tests of their own."""


def bash_blocks(page: Path) -> list[str]:
    """Give the blocks of shell commands on a page, as they stand there."""
    return re.findall(r"^ *```bash\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def block_with(words: str) -> str:
    """Give the commands on the page for teams that hold these words."""
    (block,) = (block for block in bash_blocks(ROOT / "docs/teams.md") if words in block)
    return block


def readme_blocks(project: Project) -> list[str]:
    """Give those of a project's README."""
    return bash_blocks(project.path / "README.md")


def removes_the_example(block: str) -> bool:
    """Whether the commands are those of the section on removing the example: its files first, then its tables."""
    return "rm -f" in block or "remove the example" in block


@pytest.mark.ports
def test_the_commands_of_its_readme_work_as_they_stand(copy: Project) -> None:
    (copy.path / "venv").unlink()
    served = 0
    for block in readme_blocks(copy):
        if any(word in block for word in RUN_ELSEWHERE) or removes_the_example(block):
            continue
        if block.strip() == "make run" or "uvicorn" in block:
            with running(copy, block):
                assert wait_for("http://localhost:8000/readyz", 120).status == 200
            served += 1
        else:
            done = copy.run("bash", "-ec", block)
            assert done.returncode == 0, done.stdout + done.stderr
    assert served == 2


def remove_the_example(project: Project) -> None:
    """Do what the README says."""
    files, tables = filter(removes_the_example, readme_blocks(project))
    assert project.run("bash", "-ec", files).returncode == 0
    for name in ("api/main.py", "api/models/__init__.py", "api/models/users.py", "tests/routers/test_users.py"):
        lines = project.text(name).splitlines(keepends=True)
        words = ("budget", "transaction", "TYPE_CHECKING")
        kept = [line for line in lines if not any(word in line for word in words)]
        text = re.sub(r"\n{4,}", "\n\n\n", "".join(kept))
        (project.path / name).write_text(text, encoding="utf-8")
    done = project.run("bash", "-ec", tables)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_is_removed_as_its_readme_says(copy: Project) -> None:
    remove_the_example(copy)
    done = copy.run("make", "lint", "test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_commands_on_a_clone_make_a_project(tmp_path: Path) -> None:
    clone = Project(tmp_path / "clone")
    assert run(("git", "clone", "--quiet", ROOT, clone.path), cwd=tmp_path).returncode == 0
    blocks = readme_blocks(Project(ROOT))
    assert blocks == [
        "make project\n",
        'make project args="--no-input project_name=Shop database=sqlite example=no"\n',
        "make test\n",
    ]
    surroundings = {**os.environ, "PATH": path_with_uv(), "HOME": str(tmp_path)}
    surroundings["UV_CACHE_DIR"] = run((tool("uv"), "cache", "dir"), cwd=ROOT).stdout.strip()
    printed = []
    for block in blocks[:2]:
        done = subprocess.run(
            ["bash", "-ec", block],
            cwd=clone.path,
            env=surroundings,
            input="\n" * len(json.loads(clone.text("cookiecutter.json"))),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed.append(done.stdout)
        # The clone's own origin is a path, which is no address for others.
        assert "  updates  skipped: the template's repository has no remote `origin` with an address\n" in done.stdout
        assert "command -v" not in done.stdout
    assert ["Installing cookiecutter and uv into .venv-project/, once ..." in each for each in printed] == [True, False]
    assert Project(tmp_path / "budget-api").has("api/services/budgets.py")
    assert Project(tmp_path / "shop").has("api/main.py")
    assert not Project(tmp_path / "shop").has("api/services/budgets.py")
    assert git(clone.path, "status", "--porcelain") == ""


def test_a_refused_answer_is_the_last_that_make_project_shows(tmp_path: Path) -> None:
    clone = Project(tmp_path / "clone")
    assert run(("git", "clone", "--quiet", ROOT, clone.path), cwd=tmp_path).returncode == 0
    surroundings = {"PATH": path_with_uv(), "UV_CACHE_DIR": run((tool("uv"), "cache", "dir"), cwd=ROOT).stdout.strip()}
    command = 'make project args="--no-input project_slug=Shop" 2>&1'
    done = clone.run("bash", "-c", command, env=surroundings)
    assert done.returncode != 0
    _, traceback, shown = done.stdout.partition("Traceback")
    assert traceback
    paste = next(line for line in shown.splitlines() if line.startswith("cookiecutter --no-input -o "))
    assert " project_slug=shop " in paste


def test_the_targets_of_make_are_listed(bake: Bake) -> None:
    for project in (Project(ROOT), bake()):
        targets = re.findall(r"^([a-z-]+):", project.text("Makefile"), re.MULTILINE)
        shown = project.run("make")
        assert shown.returncode == 0
        assert re.findall(r"^make ([a-z-]+) ", shown.stdout, re.MULTILINE) == targets


def test_the_picture_of_the_readme_is_drawn_from_a_run(tmp_path: Path) -> None:
    surroundings = {"PATH": path_with_uv(), "BACKEND_SKIP_SETUP": "1"}
    drawn = run(
        (tool("python"), ROOT / "scripts/picture.py", tmp_path / "terminal.svg"), cwd=tmp_path, env=surroundings
    )
    assert drawn.returncode == 0, drawn.stderr
    pictures = [path.read_text(encoding="utf-8") for path in (tmp_path / "terminal.svg", ROOT / "docs/terminal.svg")]
    for picture in pictures:
        assert "make&#160;project&#160;args" in picture
        assert "git&#160;init&#160;--initial-branch&#160;main" in picture
        assert "url(http" not in picture
