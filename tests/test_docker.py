"""The image and the composition, on a real engine."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import EVERYTHING, NOTHING, Answer, Bake, Project, run
from test_project import readme_blocks, running
from web import ask, free_port, sign_in, wait_for

Start = Callable[..., str]


def attempt(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a docker command that may fail."""
    return run(("docker", *arguments), cwd=Path.cwd())


def docker(*arguments: str | Path) -> str:
    """Run a docker command that must succeed; give what it prints."""
    done = attempt(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def missing_engine() -> str | None:
    """Say why nothing can be run here."""
    if not shutil.which("docker"):
        return "docker is not installed"
    try:
        command = ["docker", "info", "--format", "{{.OSType}}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer"
    return None if done.stdout.strip() == "linux" else "no Docker engine runs Linux containers"


MISSING_ENGINE = missing_engine()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.docker,
    pytest.mark.skipif(MISSING_ENGINE is not None, reason=str(MISSING_ENGINE)),
]


@pytest.fixture(scope="module")
def image(bake: Bake) -> str:
    """The image of the default project."""
    docker("build", "--quiet", "--tag", "budget-api", bake().path)
    return "budget-api"


@pytest.fixture
def start(image: str) -> Iterator[Start]:
    """Start containers of the image with some options; give the id of each."""
    containers: list[str] = []

    def start(*options: str, command: tuple[str, ...] = ()) -> str:
        containers.append(docker("run", "--detach", *options, image, *command))
        return containers[-1]

    yield start
    for container in containers:
        docker("rm", "--force", "--volumes", container)


def inspect(thing: str, template: str) -> str:
    return docker("inspect", "--format", template, thing)


def wait_for_health(container: str, expected: str) -> None:
    deadline = time.monotonic() + 60
    while (health := inspect(container, "{{.State.Health.Status}}")) != expected:
        assert time.monotonic() < deadline, health
        time.sleep(0.2)


def test_a_container_serves_at_once_without_any_setting(start: Start) -> None:
    port = free_port()
    start("--publish", f"127.0.0.1:{port}:5000")
    server = f"http://127.0.0.1:{port}"
    assert wait_for(f"{server}/readyz").status == 200
    token = sign_in(server)
    assert ask("POST", f"{server}/v1/budgets", {"name": "Household", "limit": "1.00"}, token).status == 201


@pytest.mark.parametrize("user", ["10001", "12345"])
def test_it_needs_to_write_to_its_data_alone_and_runs_as_any_user(start: Start, user: str) -> None:
    port = free_port()
    hardened = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    container = start("--publish", f"127.0.0.1:{port}:5000", "--user", user, *hardened)
    server = f"http://127.0.0.1:{port}"
    assert wait_for(f"{server}/readyz").status == 200
    token = sign_in(server)
    assert ask("POST", f"{server}/v1/budgets", {"name": "Household", "limit": "1.00"}, token).status == 201
    assert docker("exec", container, "id", "--user") == user


def test_it_does_not_run_as_root(image: str) -> None:
    assert inspect(image, "{{.Config.User}}") == "10001"


def test_several_workers_start_at_once_on_a_new_database(start: Start) -> None:
    port = free_port()
    start("--publish", f"127.0.0.1:{port}:5000", "--env", "WEB_CONCURRENCY=4")
    assert {wait_for(f"http://127.0.0.1:{port}/readyz").status for _ in range(20)} == {200}


def test_its_data_outlives_the_container(start: Start) -> None:
    volume = docker("volume", "create")
    try:
        for expected in (201, 409):
            port = free_port()
            container = start("--publish", f"127.0.0.1:{port}:5000", "--volume", f"{volume}:/data")
            wait_for(f"http://127.0.0.1:{port}/readyz")
            answer = ask(
                "POST", f"http://127.0.0.1:{port}/v1/users", {"email": "ada@example.com", "password": "x" * 12}
            )
            assert answer.status == expected
            docker("rm", "--force", container)
    finally:
        docker("volume", "rm", "--force", volume)


def test_it_becomes_healthy(start: Start) -> None:
    wait_for_health(start("--health-interval", "1s"), "healthy")


def test_it_becomes_unhealthy_when_the_application_answers_500(start: Start) -> None:
    failing = "from wsgiref.simple_server import make_server as m; m('', 5000, lambda e, s: s('500 No', []) or []).serve_forever()"
    options = ("--health-interval", "1s", "--health-start-period", "0s", "--entrypoint", "python")
    wait_for_health(start(*options, command=("-c", failing)), "unhealthy")


def test_it_stops_within_seconds_on_sigterm_and_says_so(start: Start) -> None:
    port = free_port()
    container = start("--publish", f"127.0.0.1:{port}:5000")
    wait_for(f"http://127.0.0.1:{port}/readyz")
    began = time.monotonic()
    docker("stop", "--timeout", "9", container)
    assert time.monotonic() - began < 5
    assert inspect(container, "{{.State.ExitCode}}") == "0"


def test_production_settings_that_are_missing_stop_the_start_by_name(start: Start) -> None:
    container = start("--env", "ENVIRONMENT=production")
    assert docker("wait", container) != "0"
    done = attempt("logs", container)
    assert "SECRET_KEY" in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_holds_what_runs_and_nothing_else(bake: Bake, image: str) -> None:
    project = bake()
    files = docker("run", "--rm", "--entrypoint", "find", image, "/app", "/venv", "-type", "f").splitlines()
    ours = {name.removeprefix("/app/") for name in files if name.startswith("/app/")}
    expected = {name for name in project.files() if name.startswith(("api/", "migrations/"))}
    expected |= {"pyproject.toml", "gunicorn.conf.py"}
    assert ours == expected
    packages = {name.partition("/site-packages/")[2].partition("/")[0] for name in files}
    assert "fastapi" in packages
    assert packages.isdisjoint({"pytest", "pip", "ruff", "mypy", "uvicorn"})


def test_it_holds_no_compiler_and_no_cache_of_pip(image: str) -> None:
    for name in ("gcc", "cc", "make"):
        assert attempt("run", "--rm", "--entrypoint", "which", image, name).returncode == 1
    found = docker("run", "--rm", "--user", "0", "--entrypoint", "find", image, "/", "-xdev", "-path", "*/.cache/pip")
    assert found == ""


def test_it_holds_no_secret(bake: Bake, image: str) -> None:
    secrets = [line.partition("=")[2] for line in bake().text(".env").splitlines() if not line.startswith("#")]
    configuration = docker("inspect", image) + docker("history", "--no-trunc", image)
    assert len(secrets) == 2
    assert [secret for secret in secrets if secret in configuration] == []


def test_a_change_of_the_code_does_not_install_again(bake: Bake, image: str, tmp_path: Path) -> None:
    shutil.copytree(bake().path, tmp_path / "changed")
    with (tmp_path / "changed/api/main.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    docker("build", "--quiet", "--tag", f"{image}:changed", tmp_path / "changed")
    layers = [json.loads(inspect(tag, "{{json .RootFS.Layers}}")) for tag in (image, f"{image}:changed")]
    docker("rmi", f"{image}:changed")
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.14"])
def test_the_image_builds_with_every_other_python(bake: Bake, version: str) -> None:
    base = f"python:{version}-slim"
    present = attempt("image", "inspect", base).returncode == 0
    if not present and attempt("pull", "--quiet", base).returncode != 0:
        pytest.skip(f"{base} can't be pulled here")
    tag = f"budget-api:python{version}"
    docker("build", "--quiet", "--tag", tag, bake(python_version=version).path)
    assert docker("run", "--rm", tag, "python", "--version").startswith(f"Python {version}.")
    docker("run", "--rm", tag, "python", "-c", "import api.main")
    docker("rmi", tag)


@pytest.mark.parametrize("answers", [EVERYTHING, NOTHING], ids=["everything", "nothing"])
def test_the_image_with_every_option_and_with_none_becomes_ready(bake: Bake, answers: dict[str, Answer]) -> None:
    tag, port = "budget-api:options", free_port()
    docker("build", "--quiet", "--tag", tag, bake(**answers).path)
    container = docker("run", "--detach", "--publish", f"127.0.0.1:{port}:5000", tag)
    try:
        assert wait_for(f"http://127.0.0.1:{port}/readyz").status == 200
        assert "Traceback" not in attempt("logs", container).stderr
    finally:
        docker("rm", "--force", "--volumes", container)
        docker("rmi", tag)


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_what_is_written_to_the_composition_is_there_after_a_restart(bake: Bake, tmp_path: Path, database: str) -> None:
    shutil.copytree(bake(database=database, project_slug="walk-through").path, tmp_path / "walk-through")
    project = Project(tmp_path / "walk-through")
    server = "http://localhost:8000"
    try:
        up = project.run("make", "up")
        assert up.returncode == 0, up.stdout + up.stderr
        token = sign_in(server)
        written = ask("POST", f"{server}/v1/budgets", {"name": "Household", "limit": "12.50"}, token)
        assert written.status == 201
        assert project.run("docker", "compose", "restart").returncode == 0
        wait_for(f"{server}/readyz")
        assert ask("GET", f"{server}{written.headers['location']}", token=token).body == written.body
        down = project.run("make", "down")
        assert down.returncode == 0, down.stderr
        assert project.run("docker", "compose", "ps", "--all", "--quiet").stdout == ""
    finally:
        project.run("docker", "compose", "down", "--volumes", "--rmi", "local")


def test_the_composition_says_what_is_missing_where_there_are_no_secrets(bake: Bake, tmp_path: Path) -> None:
    shutil.copytree(bake().path, tmp_path / "project", ignore=shutil.ignore_patterns(".env"))
    done = Project(tmp_path / "project").run("docker", "compose", "config")
    assert done.returncode != 0
    assert "copy .env.example to .env and fill it in" in done.stderr


def test_the_docker_commands_of_the_readme_work_as_they_stand(copy: Project) -> None:
    try:
        for block in (block for block in readme_blocks(copy) if "docker" in block):
            if block.startswith("docker run -p"):
                with running(copy, block):
                    assert wait_for("http://localhost:5000/readyz").status == 200
                docker("rm", "--volumes", docker("ps", "--latest", "--quiet"))
            elif " -it " in block:
                terminal = ["script", "--quiet", "--return", "--command", block, "/dev/null"]
                done = subprocess.run(
                    terminal,
                    cwd=copy.path,
                    input="\\d\n\\q\n",
                    text=True,
                    stdout=subprocess.PIPE,
                    check=True,
                    timeout=60,
                )
                assert "budgets" in done.stdout
            else:
                done = copy.run("bash", "-ec", block)
                assert done.returncode == 0, done.stdout + done.stderr
    finally:
        copy.run("docker", "rm", "--force", "budget-api-test")
        copy.run("docker", "compose", "down", "--volumes")
