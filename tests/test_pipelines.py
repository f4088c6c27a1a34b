"""The pipelines of generated projects: what their services accept, and every command that they run."""

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import pytest
import yaml

from conftest import COMPILED, EVERYTHING, Answer, Bake, Project, path_with_uv, tool
from engine import needs_engine
from repository import git
from setup import options

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")

WORKFLOW = ".github/workflows/ci.yml"
GITLAB = ".gitlab-ci.yml"
SCHEMAS = {
    WORKFLOW: ("github", "vendor.github-workflows"),
    ".github/dependabot.yml": ("github", "vendor.dependabot"),
    GITLAB: ("gitlab", "vendor.gitlab-ci"),
}
# Keywords of GitLab at the place where jobs stand.
NO_JOBS = ("workflow", "default", "variables")
KNOWN_VULNERABILITY: dict[str, object] = {
    "id": "PYSEC-0000-1",
    "details": "Only for this test.",
    "affected": [{"package": {"name": "starlette", "ecosystem": "PyPI"}, "versions": ["*"], "ranges": []}],
}

both_pipelines = pytest.mark.parametrize("ci", ["github", "gitlab"])
both_databases = pytest.mark.parametrize("database", ["postgresql", "sqlite"])


class Step(NamedTuple):
    """What a pipeline hands to a shell."""

    job: str
    script: str
    variables: dict[str, str]


def read(project: Project, name: str) -> dict[str, Any]:
    """Read a file of YAML."""
    content: dict[str, Any] = yaml.safe_load(project.text(name))
    return content


def github_steps(project: Project) -> Iterator[Step]:
    """Yield what GitHub runs; steps that act on a failure only stay out."""
    workflow = read(project, WORKFLOW)
    # None of the repository's secrets is set.
    shared = dict.fromkeys(workflow["env"], "")
    for name, job in workflow["jobs"].items():
        for step in job["steps"]:
            if "run" in step and step.get("if") != "failure()":
                yield Step(name, step["run"], {**shared, **job.get("env", {}), **step.get("env", {})})


def gitlab_steps(project: Project) -> Iterator[Step]:
    """Yield what GitLab runs, with the variables of all jobs and of each."""
    pipeline = read(project, GITLAB)
    yield from (Step("default", line, {}) for line in pipeline["default"]["before_script"])
    for name, job in pipeline.items():
        if name not in NO_JOBS:
            variables = {**pipeline["variables"], **job.get("variables", {})}
            for part in ("before_script", "script", "after_script"):
                yield from (Step(name, line, variables) for line in job.get(part, ()))


def steps(project: Project, *, containers: bool) -> list[Step]:
    """Give the steps of the jobs that start containers, or those of all others."""
    found = [*(github_steps(project) if project.has(WORKFLOW) else gitlab_steps(project))]
    jobs = {step.job for step in found if "make up" in step.script}
    return [step for step in found if (step.job in jobs) == containers]


def committed(project: Project, path: Path) -> Project:
    """Give what a pipeline would check out: the files that git keeps, so neither secrets nor an environment."""
    git(path.parent, "init", "--quiet", path)
    git(path, "--work-tree", project.path, "add", ".")
    git(path, "commit", "--quiet", "--message", "Begin")
    git(path, "checkout", "--quiet", "--", ".")
    return Project(path)


def passes(project: Project, step: Step, surroundings: Mapping[str, str]) -> None:
    """Run a step as its service does."""
    variables = {
        name: Template(value).safe_substitute(CI_PROJECT_DIR=project.path) for name, value in step.variables.items()
    }
    done = project.run("bash", "-e", "-o", "pipefail", "-c", step.script, env={**variables, **surroundings})
    assert done.returncode == 0, f"{step.script}\n{done.stdout}{done.stderr}"


@contextmanager
def vulnerability_database(*known: dict[str, object]) -> Iterator[dict[str, str]]:
    """Answer each question about a package as OSV does; give the settings that lead pip-audit here."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            found = [each for each in known if asked in json.dumps(each)]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"vulns": found} if found else {}).encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": url}
        server.shutdown()


@both_databases
@pytest.mark.parametrize("name", SCHEMAS)
def test_each_file_follows_the_schema_of_its_service(bake: Bake, name: str, database: str) -> None:
    ci, schema = SCHEMAS[name]
    done = bake(ci=ci, database=database).run(tool("check-jsonschema"), "--builtin-schema", schema, name)
    assert done.returncode == 0, done.stdout


@both_databases
def test_the_workflow_holds_no_known_weakness(bake: Bake, database: str) -> None:
    done = bake(ci="github", database=database).run(tool("zizmor"), "--offline", "--quiet", ".github")
    assert done.returncode == 0, done.stdout


def test_each_action_is_pinned_by_its_commit_and_says_its_version(bake: Bake) -> None:
    uses = re.findall(r"uses: (.+)", bake(ci="github").text(WORKFLOW))
    assert uses
    assert [each for each in uses if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_a_workflow_may_only_read_the_code_and_ends_in_time(bake: Bake) -> None:
    workflow = read(bake(ci="github"), WORKFLOW)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] <= 20


def test_a_folder_of_the_users_own_survives_a_declined_pipeline(bake: Bake, tmp_path: Path) -> None:
    project = committed(bake(ci="github"), tmp_path / "project")
    (project.path / ".github/CODEOWNERS").touch()
    options.prune(project.path, options.enabled_options({"python_version": "3.13", **EVERYTHING, "ci": "none"}))
    assert [name for name in project.files() if name.startswith(".github/")] == [".github/CODEOWNERS"]


@both_pipelines
def test_sqlite_alone_needs_no_database_service(bake: Bake, ci: str) -> None:
    project = bake(ci=ci, database="sqlite")
    name = {"github": WORKFLOW, "gitlab": GITLAB}[ci]
    assert "postgres" not in project.text(name).lower()
    assert "TEST_DATABASE_URL" not in project.text(name)


@pytest.mark.parametrize("base", ["python:3.11-slim", "registry.example.com/team/backend:7"])
def test_gitlab_runs_the_jobs_in_the_base_image(bake: Bake, base: str) -> None:
    project = bake(ci="gitlab", python_version="3.11", base_image=base)
    assert read(project, GITLAB)["default"]["image"] == base
    assert f"FROM {base} AS base\n" in project.text("Dockerfile")


@pytest.mark.docker
@needs_engine
@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_github_sets_up_the_python_of_the_base_image(bake: Bake, tmp_path: Path, version: str) -> None:
    project = bake(ci="github", python_version=version)
    output = tmp_path / "output"
    step = next(step for step in github_steps(project) if "GITHUB_OUTPUT" in step.script)
    passes(project, step, {"GITHUB_OUTPUT": str(output)})
    assert output.read_text(encoding="utf-8") == f"python={version}\n"


@both_pipelines
@both_databases
def test_a_pipeline_runs_what_is_run_by_hand(bake: Bake, ci: str, database: str) -> None:
    answers: dict[str, Answer] = {"ci": ci, "database": database}
    scripts = "\n".join(step.script for holds in (False, True) for step in steps(bake(**answers), containers=holds))
    made = " ".join(re.findall(r"make ([a-z]+(?:[ -][a-z]+(?![a-z=]))*)", scripts)).split()
    twice = ("test", "fuzz") * (database == "postgresql")
    assert sorted(made) == sorted(("lint", "test", "fuzz", "lock", "audit", "check-template", "up", *twice))
    assert "git diff --exit-code requirements*.txt" in scripts


@pytest.mark.slow
@pytest.mark.parametrize("ci", [pytest.param("github", marks=[pytest.mark.docker, needs_engine]), "gitlab"])
def test_what_a_pipeline_runs_passes(bake: Bake, postgresql: str, tmp_path: Path, ci: str) -> None:
    project = committed(bake(ci=ci), tmp_path / "project")
    # All of the project's tests, and all that is made up, pass in test_project.py.
    surroundings = {
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "PATH": path_with_uv(),  # the commands of the README install with pip
        "PYTEST_ADDOPTS": "-k livez",
        **COMPILED,
    }
    with vulnerability_database() as database:
        for step in steps(project, containers=False):
            server = {"TEST_DATABASE_URL": postgresql} if "TEST_DATABASE_URL" in step.variables else {}
            passes(project, step, {**surroundings, **database, **server})


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_a_schedule_tells_that_the_template_has_changed(bake: Bake, tmp_path: Path, ci: str) -> None:
    project = committed(bake(ci=ci), tmp_path / "project")
    if ci == "github":
        job = read(project, WORKFLOW)["jobs"]["template"]
        assert job["if"] == "github.event_name == 'schedule'"
        assert job["steps"][-1] == {"if": "hashFiles('.cruft.json') != ''", "run": "make check-template"}
    else:
        job = read(project, GITLAB)["template"]
        assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"', "exists": [".cruft.json"]}]
        assert job["script"] == ["make check-template"]


def test_the_check_says_how_to_follow_the_template_and_is_silent_where_none_is_recorded(
    bake: Bake, tmp_path: Path
) -> None:
    project = committed(bake(), tmp_path / "project")
    (project.path / "venv/bin").mkdir(parents=True)
    (project.path / "venv/bin/cruft").write_text('#!/bin/sh\necho "$@"\nexit "$STATUS"\n', encoding="utf-8")
    (project.path / "venv/bin/cruft").chmod(0o755)
    (project.path / "venv/.installed").touch()
    command = ("make", "--silent", "check-template")
    assert project.run(*command, env={"STATUS": "1"}).stdout == ""
    (project.path / ".cruft.json").touch()
    assert project.run(*command, env={"STATUS": "0"}).stdout == "check\n"
    changed = project.run(*command, env={"STATUS": "1"})
    assert changed.returncode != 0
    assert '"Update" in README.md says how to follow it' in changed.stdout


@both_pipelines
@pytest.mark.slow
def test_a_stale_lock_stops_a_pipeline(bake: Bake, environment: Path, tmp_path: Path, ci: str) -> None:
    project = committed(bake(ci=ci), tmp_path / "project")
    (project.path / "venv").mkdir()
    (project.path / "venv" / environment.name).symlink_to(environment)
    (project.path / "venv" / ".installed").touch()
    script = "\n".join(
        step.script for step in steps(project, containers=False) if re.search("make lock|git diff", step.script)
    )
    asked = project.text("pyproject.toml")
    (project.path / "pyproject.toml").write_text(re.sub('    "uuid-utils.*\n', "", asked), encoding="utf-8")
    done = project.run("bash", "-ec", script)
    assert done.returncode == 1
    assert "-uuid-utils==" in done.stdout


@pytest.mark.slow
def test_the_audit_fails_for_a_known_vulnerability_and_where_it_can_look_up_nothing(copy: Project) -> None:
    with vulnerability_database(KNOWN_VULNERABILITY) as database:
        found = copy.run("make", "audit", env=database)
    assert found.returncode != 0
    assert "PYSEC-0000-1" in found.stdout
    # The server has ended.
    assert copy.run("make", "audit", env=database).returncode != 0


@pytest.mark.slow
@pytest.mark.docker
@needs_engine
@pytest.mark.parametrize(("ci", "database"), [("github", "postgresql"), ("gitlab", "sqlite")])
def test_what_a_pipeline_starts_becomes_healthy(bake: Bake, tmp_path: Path, ci: str, database: str) -> None:
    answers: dict[str, Answer] = {"ci": ci, "database": database, "project_slug": "pipeline"}
    project = committed(bake(**answers), tmp_path / "pipeline")
    try:
        for step in steps(project, containers=True):
            if step.script.startswith("apk "):
                continue  # it prepares the image of Docker's client, and make is here
            # Where GitLab runs, the engine is another host.
            passes(project, step._replace(script=step.script.replace("//docker:", "//localhost:")), {})
    finally:
        project.run(
            "docker",
            "compose",
            "down",
            "--volumes",
            "--rmi",
            "local",
            env={"SECRET_KEY": "x", "POSTGRES_PASSWORD": "x"},
        )
