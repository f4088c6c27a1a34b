"""The pipelines of generated projects: what their services accept, and every command that they run."""

import json
import os
import re
import shutil
import subprocess
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
from engine import attempt, docker, needs_engine
from repository import git, imitated_gh, said
from setup import options
from web import free_port, wait_for

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
# Jobs with tests of their own.
LATER_JOBS = ("upgrade", "propose", "release")
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
        for step in job["steps"] if name not in LATER_JOBS else ():
            if "run" in step and step.get("if") != "failure()":
                yield Step(name, step["run"], {**shared, **job.get("env", {}), **step.get("env", {})})


def gitlab_steps(project: Project) -> Iterator[Step]:
    """Yield what GitLab runs, with the variables of all jobs and of each."""
    pipeline = read(project, GITLAB)
    yield from (Step("default", line, {}) for line in pipeline["default"]["before_script"])
    for name, job in pipeline.items():
        if name not in (*NO_JOBS, *LATER_JOBS):
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
    read_only = {"contents": "read"}
    workflow = read(bake(ci="github"), WORKFLOW)
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    # What may write has a test of its own below.
    more = {"propose": {"actions": "write", "contents": "write", "pull-requests": "write"}}
    more["release"] = read_only | {"packages": "write"}
    assert {name: job["permissions"] for name, job in jobs.items()} == dict.fromkeys(jobs, read_only) | more
    assert [name for name, job in jobs.items() if job["timeout-minutes"] > 20] == []


@both_pipelines
def test_a_push_cancels_the_checks_of_an_earlier_one_in_a_request_alone(bake: Bake, ci: str) -> None:
    if ci == "github":
        concurrency = read(bake(ci=ci), WORKFLOW)["concurrency"]
        assert concurrency["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    else:
        rules = read(bake(ci=ci), GITLAB)["workflow"]["rules"]
        assert [rule.get("auto_cancel") for rule in rules] == [None, {"on_new_commit": "none"}, None]


def test_dependabot_proposes_all_but_packages(bake: Bake) -> None:
    updates = read(bake(ci="github"), ".github/dependabot.yml")["updates"]
    assert [each["package-ecosystem"] for each in updates] == ["docker", "docker-compose", "github-actions"]
    assert {each["cooldown"]["default-days"] for each in updates} == {7}


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


@pytest.mark.slow
@pytest.mark.docker
@needs_engine
@pytest.mark.parametrize("version", ["3.11", "3.14"])
def test_the_jobs_of_gitlab_pass_in_the_image_that_they_name(bake: Bake, tmp_path: Path, version: str) -> None:
    project = committed(bake(ci="gitlab", database="sqlite", python_version=version), tmp_path / "project")
    pipeline = read(project, GITLAB)
    image, folder = pipeline["default"]["image"], "/builds/project"
    if attempt("image", "inspect", image).returncode != 0:
        pytest.skip(f"{image} is not here")
    jobs = ("test", "lint", "lock", "audit") if version == "3.14" else ("test",)
    script = "\n".join(
        [*pipeline["default"]["before_script"], *(line for job in jobs for line in pipeline[job]["script"])]
    )
    with vulnerability_database() as database:
        variables = database | {
            name: value.replace("$CI_PROJECT_DIR", folder) for name, value in pipeline["variables"].items()
        }
        options = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        options += ["--network", "host", "--volume", f"{project.path}:{folder}", "--workdir", folder]
        done = attempt("run", "--rm", *options, image, "bash", "-eo", "pipefail", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^TOTAL.*\s\d+%$", done.stdout, re.MULTILINE)
    assert " skipped" not in done.stdout


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


def locks_jobs(project: Project, ci: str) -> tuple[list[str], str]:
    """Return the scripts of the job that upgrades the locks, line by line, and that of the job that proposes them."""
    if ci == "github":
        jobs = read(project, WORKFLOW)["jobs"]
        assert (jobs["upgrade"]["if"], jobs["propose"]["needs"]) == ("github.event_name == 'schedule'", "upgrade")
        upgrade, propose = ([step for step in jobs[name]["steps"] if "run" in step] for name in ("upgrade", "propose"))
        assert "token" not in json.dumps(upgrade)
        return [step["run"] for step in upgrade], propose[0]["run"]
    upgrade, propose = (read(project, GITLAB)[name] for name in ("upgrade", "propose"))
    assert (propose["needs"], propose["environment"]) == (["upgrade"], "locks")
    return upgrade["script"], "\n".join(propose["script"])


@both_pipelines
@pytest.mark.slow
def test_a_schedule_proposes_packages_that_are_a_week_old_and_have_passed_the_tests(
    bake: Bake, environment: Path, tmp_path: Path, ci: str
) -> None:
    project = committed(bake(ci=ci), tmp_path / "project")
    git(tmp_path, "clone", "--quiet", "--bare", "project", "origin.git")
    git(tmp_path / "origin.git", "config", "receive.advertisePushOptions", "true")
    git(project.path, "remote", "add", "origin", str(tmp_path / "origin.git"))
    (project.path / "venv").mkdir()
    (project.path / "venv" / environment.name).symlink_to(environment)
    (project.path / "venv/.installed").touch()
    (upgrade, test, save), propose = locks_jobs(project, ci)
    assert test == "make lint test"
    git_config = tmp_path / "gitconfig"
    url = f'[url "{(tmp_path / "origin.git").as_uri()}"]\n\tinsteadOf = https://locks:secret@git.example.com/team/shop.git\n'
    git_config.write_text(f"{url}[user]\n\tname = Ada\n\temail = ada@example.com\n", encoding="utf-8")
    gitlab = {"CI_SERVER_FQDN": "git.example.com", "CI_SERVER_HOST": "git.example.com", "CI_PROJECT_PATH": "team/shop"}
    env = {**imitated_gh(tmp_path), **gitlab, "CI_DEFAULT_BRANCH": "main", "GIT_CONFIG_GLOBAL": str(git_config)}
    env |= {"LOCKS_TOKEN": "secret", "GITHUB_RUN_ID": "7"}

    # Nothing has changed yet.
    assert project.run("bash", "-ec", f"{save}\n{propose}", env=env).returncode == 0
    assert git(tmp_path / "origin.git", "branch", "--format=%(refname:short)") == "main"

    with (project.path / "README.md").open("a", encoding="utf-8") as file:
        file.write("changed by a package\n")
    lock = project.text("requirements.txt")
    (project.path / "requirements.txt").write_text(lock.replace("alembic==1.", "alembic==0."), encoding="utf-8")
    done = project.run("bash", "-ec", f"{upgrade}\n{save}\ngit restore .\n{propose}", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    changed = git(tmp_path / "origin.git", "diff", "--name-only", "main..locks").split()
    assert changed == ["requirements-dev.txt", "requirements.txt"]
    if ci == "github":
        assert said(tmp_path)[-2:] == ["pr create --head locks --fill", "workflow run ci.yml --ref locks"]
    else:
        assert '--push-option merge_request.create --push-option "merge_request.target=main"' in propose.replace(
            "$CI_DEFAULT_BRANCH", "main"
        )
        missing = project.run(
            "bash", "-ec", propose.partition("git push")[2].join(["git push", ""]), env={**env, "LOCKS_TOKEN": ""}
        )
        assert "is not set for the environment locks" in missing.stderr


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Start a registry on this machine; return its host and port."""
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip("docker-registry is not installed")
    host = f"127.0.0.1:{free_port()}"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    config = {"version": "0.1", "log": {"level": "error"}, "storage": storage, "http": {"addr": host}}
    (tmp_path / "registry.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with subprocess.Popen([program, "serve", tmp_path / "registry.yaml"], stderr=subprocess.DEVNULL) as server:
        assert wait_for(f"http://{host}/v2/", 20).status == 200
        yield host
        server.terminate()


@pytest.mark.slow
@pytest.mark.docker
@needs_engine
@both_pipelines
def test_the_tag_of_a_version_releases_an_image_and_tells_its_digest(
    bake: Bake, registry: str, tmp_path: Path, ci: str
) -> None:
    project = committed(bake(ci=ci), tmp_path / "project")
    env = {**docker_without_attestations(tmp_path), "GITHUB_REPOSITORY": "Team/Shop", "GITHUB_REF_NAME": "v1.2.3"}
    env |= {"GITHUB_ACTOR": "ada", "GITHUB_TOKEN": "x", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    env |= {"CI_REGISTRY": registry, "CI_REGISTRY_IMAGE": f"{registry}/team/shop", "CI_REGISTRY_USER": "ada"}
    env |= {"CI_REGISTRY_PASSWORD": "x", "CI_COMMIT_TAG": "v1.2.3"}
    if ci == "github":
        jobs = read(project, WORKFLOW)["jobs"]
        release = jobs["release"]
        assert release["if"] == "github.event_name == 'push' && github.ref_type == 'tag'"
        # A job that is skipped would skip the release too.
        assert release["needs"] == [name for name, job in jobs.items() if "if" not in job and "needs" not in job]
        script = release["steps"][-1]["run"].replace("ghcr.io", registry)
    else:
        job = read(project, GITLAB)["release"]
        assert (job["stage"], job["rules"]) == ("deploy", [{"if": r"$CI_COMMIT_TAG =~ /^v\d+\.\d+\.\d+$/"}])
        _, context = job["before_script"]
        script = "\n".join([context, *job["script"]])
    done = project.run("bash", "-ec", script, env=env)
    assert done.returncode == 0, done.stdout + done.stderr

    name, _, digest = done.stdout.splitlines()[-1].partition("@")
    assert name == f"{registry}/team/shop:1.2.3"
    assert f"Digest: {digest}" in docker("pull", name)
    docker("image", "rm", name)
    assert ci == "gitlab" or (tmp_path / "summary").read_text(encoding="utf-8") == f"{name}@{digest}\n"
    (built,) = [line for line in (tmp_path / "docker.log").read_text(encoding="utf-8").splitlines() if "build " in line]
    assert "--builder release --sbom=true --provenance=mode=max --push" in built


def test_a_release_needs_a_name(bake: Bake) -> None:
    done = bake().run("make", "release")
    assert done.returncode != 0
    assert done.stdout.startswith("Name the image: make release image=")


@pytest.mark.slow
@pytest.mark.docker
@needs_engine
def test_a_pipeline_builds_with_the_layers_that_an_earlier_one_has_left_in_the_registry(
    bake: Bake, registry: str, tmp_path: Path
) -> None:
    project = committed(bake(ci="gitlab", database="sqlite"), tmp_path / "project")
    (step,) = [step for step in gitlab_steps(project) if "buildx bake" in step.script]
    image = f"{registry}/team/shop"
    env = {"CI_REGISTRY": registry, "CI_REGISTRY_IMAGE": image, "CI_REGISTRY_USER": "ada", "CI_REGISTRY_PASSWORD": "x"}
    env |= {"DOCKER_CONFIG": docker_without_attestations(tmp_path)["DOCKER_CONFIG"]}
    first, second = (project.run("bash", "-ec", step.script, env={**step.variables, **env}) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert f"importing cache manifest from {image}:cache\n" in second.stderr
    assert re.search(r"importing cache.*\n(?:.*\n)*#\d+ DONE", second.stderr)
    docker("image", "rm", f"{image}:cache")


def test_an_image_is_built_with_the_layers_of_earlier_runs_before_it_starts(bake: Bake) -> None:
    image = read(bake(ci="github"), WORKFLOW)["jobs"]["image"]["steps"]
    (cached,) = [number for number, step in enumerate(image) if "bake-action" in step.get("uses", "")]
    assert "api.cache-from=type=gha\napi.cache-to=type=gha,mode=max" in image[cached]["with"]["set"]
    assert image[cached + 1]["run"] == "make up"


def docker_without_attestations(folder: Path) -> dict[str, str]:
    """Put a `docker` on the PATH that builds with the engine, whose builder makes no SBOM and no provenance."""
    (folder / "tools").mkdir()
    (folder / "docker").mkdir()
    plugins = Path.home() / ".docker" / "cli-plugins"
    if plugins.exists():
        (folder / "docker" / plugins.name).symlink_to(plugins)
    shim = folder / "tools" / "docker"
    shim.write_text(
        f"""#!/bin/bash
echo "$*" >> "{folder}/docker.log"
case "$1 $2" in "buildx inspect" | "buildx create" | "context create") exit ;; esac
arguments=()
for each; do case $each in --builder | release | --sbom=* | --provenance=*) ;; *) arguments+=("$each") ;; esac; done
exec {shutil.which("docker")} "${{arguments[@]}}"
""",
        encoding="utf-8",
    )
    shim.chmod(0o755)
    return {"PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}", "DOCKER_CONFIG": str(folder / "docker")}


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
