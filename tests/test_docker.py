"""The image and the composition, on a real engine."""

import hashlib
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import EVERYTHING, NOTHING, Answer, Bake, Project
from engine import attempt, docker, needs_engine
from test_project import readme_blocks, running
from web import ask, free_port, sign_in, wait_for

Start = Callable[..., str]


pytestmark = [
    pytest.mark.slow,
    pytest.mark.docker,
    needs_engine,
]


@pytest.fixture(scope="module")
def image(bake: Bake) -> str:
    """The image of the default project, under a name that no hook and no README gives."""
    docker("build", "--quiet", "--tag", "budget-api-tested", bake().path)
    return "budget-api-tested"


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
    status = docker("exec", container, "cat", "/proc/1/status")
    assert f"Uid:\t{user}\t" in status
    assert "CapEff:\t0000000000000000" in status


def test_it_does_not_run_as_root(image: str) -> None:
    assert inspect(image, "{{.Config.User}}") == "10001"


def test_its_labels_say_what_it_is_made_of(bake: Bake) -> None:
    labels = {"source": "https://example.com/budget-api", "revision": "0" * 40, "version": "1.2.3"}
    arguments = (f"--build-arg={name.upper()}={value}" for name, value in labels.items())
    image = docker("build", "--quiet", *arguments, bake().path)
    said = json.loads(inspect(image, "{{json .Config.Labels}}"))
    assert said.items() >= {f"org.opencontainers.image.{name}": value for name, value in labels.items()}.items()


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
                "POST",
                f"http://127.0.0.1:{port}/v1/users",
                {"email": "ada@example.com", "password": "seven green owls knit"},
            )
            assert answer.status == expected
            docker("rm", "--force", container)
    finally:
        docker("volume", "rm", "--force", volume)


@pytest.mark.parametrize("proxy", [(), ("--env", "http_proxy=http://127.0.0.1:9")], ids=["", "proxy"])
def test_it_becomes_healthy_whatever_proxy_is_configured(start: Start, proxy: tuple[str, ...]) -> None:
    wait_for_health(start("--health-interval", "1s", *proxy), "healthy")


def test_it_becomes_unhealthy_when_the_application_answers_500(start: Start) -> None:
    failing = "from wsgiref.simple_server import make_server as m; m('', 5000, lambda e, s: s('500 No', []) or []).serve_forever()"
    options = ("--health-interval", "1s", "--health-start-period", "0s", "--entrypoint", "python")
    wait_for_health(start(*options, command=("-c", failing)), "unhealthy")


def test_it_stops_on_sigterm_before_docker_kills_it(start: Start) -> None:
    port = free_port()
    container = start("--publish", f"127.0.0.1:{port}:5000")
    wait_for(f"http://127.0.0.1:{port}/readyz")
    docker("stop", "--timeout", "9", container)
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
    copied = {name.removeprefix("/app/") for name in files if name.startswith("/app/")}
    expected = {name for name in project.files() if name.startswith(("api/", "migrations/"))}
    expected |= {"pyproject.toml", "gunicorn.conf.py"}
    assert copied == expected
    packages = {name.partition("/site-packages/")[2].partition("/")[0] for name in files}
    assert "fastapi" in packages
    assert packages.isdisjoint({"pytest", "pip", "ruff", "mypy", "schemathesis"})


def test_it_holds_no_compiler_and_no_cache_of_pip(image: str) -> None:
    for name in ("gcc", "cc", "make"):
        assert attempt("run", "--rm", "--entrypoint", "which", image, name).returncode == 1
    found = docker("run", "--rm", "--user", "0", "--entrypoint", "find", image, "/", "-xdev", "-path", "*/.cache/pip")
    assert found == ""


INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()


class Registry(BaseHTTPRequestHandler):
    """A registry with one image."""

    def do_GET(self) -> None:
        known = self.path.startswith("/v2/python/manifests/")
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", INDEX)
        self.send_header("Content-Length", str(len(MANIFEST)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(MANIFEST)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def registry() -> Iterator[str]:
    """The address of a registry."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_base_is_pinned_to_the_digest_that_its_registry_answers(copy: Project, registry: str) -> None:
    dockerfile = copy.path / "Dockerfile"
    base = f"{registry}/{base_of(copy)}"
    before = copy.text("Dockerfile").replace(base_of(copy), base)
    dockerfile.write_text(before, encoding="utf-8")
    pinned = before.replace(base, f"{base}@sha256:{hashlib.sha256(MANIFEST).hexdigest()}")
    for _ in range(2):
        assert copy.run("make", "pin").returncode == 0
        assert copy.text("Dockerfile") == pinned


def test_a_base_stays_as_it_is_where_no_registry_answers(copy: Project) -> None:
    dockerfile = copy.path / "Dockerfile"
    before = copy.text("Dockerfile").replace(base_of(copy), f"127.0.0.1:{free_port()}/{base_of(copy)}")
    dockerfile.write_text(before, encoding="utf-8")
    done = copy.run("make", "pin")
    assert done.returncode != 0
    assert "connection refused" in done.stderr
    assert copy.text("Dockerfile") == before
    assert not copy.has("Dockerfile.pinned")


def base_of(project: Project) -> str:
    """The image that a project's image is built on."""
    return project.text("Dockerfile").split(maxsplit=2)[1]


def test_it_adds_no_program_that_runs_as_somebody_else(bake: Bake, image: str) -> None:
    look = ("/", "-xdev", "-type", "f", "-perm", "/6000")
    found = [
        docker("run", "--rm", "--user", "0", "--entrypoint", "find", each, *look) for each in (image, base_of(bake()))
    ]
    assert found[0] == found[1]


def test_it_adds_less_than_100_mb_to_its_base(bake: Bake, image: str) -> None:
    size, size_of_base = (int(inspect(each, "{{.Size}}")) for each in (image, base_of(bake())))
    assert size - size_of_base < 100_000_000


def test_it_starts_and_becomes_healthy_without_a_shell(image: str, tmp_path: Path) -> None:
    shells = "[shell.unlink() for name in ('sh', 'bash', 'dash') if (shell := Path('/bin', name)).is_symlink() or shell.exists()]"
    remove = json.dumps(["python", "-c", f"from pathlib import Path; {shells}"])
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nUSER 0\nRUN {remove}\nUSER 10001\n", encoding="utf-8")
    tag = f"{image}:no-shell"
    docker("build", "--quiet", "--tag", tag, tmp_path)
    container = docker("run", "--detach", "--health-interval", "1s", tag)
    try:
        assert attempt("exec", container, "sh", "-c", "true").returncode != 0
        wait_for_health(container, "healthy")
    finally:
        docker("rm", "--force", "--volumes", container)
        docker("rmi", tag)


def test_it_holds_no_secret(bake: Bake, image: str) -> None:
    secrets = re.findall(r"(?m)^[A-Z_]+=(.+)$", bake().text(".env"))
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


def test_it_serves_where_files_are_readable_by_their_owner_alone_when_it_is_built(bake: Bake, tmp_path: Path) -> None:
    shutil.copytree(bake().path, tmp_path / "project")
    assert Project(tmp_path / "project").run("chmod", "-R", "go=", ".").returncode == 0
    tag, port = "budget-api:umask", free_port()
    docker("build", "--quiet", "--tag", tag, tmp_path / "project")
    container = docker("run", "--detach", "--publish", f"127.0.0.1:{port}:5000", tag)
    try:
        assert wait_for(f"http://127.0.0.1:{port}/readyz").status == 200
    finally:
        docker("rm", "--force", "--volumes", container)
        docker("rmi", tag)


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
        env = project.text(".env").replace("\nPOSTGRES_PASSWORD=", "\nPOSTGRES_PASSWORD='@p /:#%40$s?&\"' # ")
        (project.path / ".env").write_text(env, encoding="utf-8")
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


def test_a_backup_of_the_readme_brings_back_what_was_there(bake: Bake, tmp_path: Path) -> None:
    shutil.copytree(bake(database="sqlite", project_slug="backed-up").path, tmp_path / "backed-up")
    project = Project(tmp_path / "backed-up")
    [back_up] = [block for block in readme_blocks(project) if "VACUUM INTO" in block]
    [restore] = [block for block in readme_blocks(project) if ".backup(" in block]
    server = "http://localhost:8000"
    try:
        assert project.run("make", "up").returncode == 0
        assert "backed-up_data" in docker("volume", "ls", "--quiet").splitlines()
        token = sign_in(server)

        def write(name: str) -> str:
            written = ask("POST", f"{server}/v1/budgets", {"name": name, "limit": "12.50"}, token)
            return f"{server}{written.headers['location']}"

        before = write("before")
        assert (done := project.run("bash", "-ec", back_up)).returncode == 0, done.stderr
        after = write("after")
        assert (done := project.run("bash", "-ec", restore)).returncode == 0, done.stderr
        wait_for(f"{server}/readyz")
        assert [ask("GET", url, token=token).status for url in (before, after)] == [200, 404]
        assert ask("GET", write("again"), token=token).status == 200
    finally:
        project.run("docker", "compose", "down", "--volumes", "--rmi", "local")


def test_a_folder_that_cannot_be_written_is_named_with_the_user(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    container = start("--volume", f"{tmp_path / 'data'}:/data")
    assert docker("wait", container) != "0"
    lines = attempt("logs", container).stderr.splitlines()
    assert len(lines) == 2
    assert "SQLITE_FILE: the user 10001 can't write to /data" in lines[1]


def test_the_composition_says_what_is_missing_where_there_are_no_secrets(bake: Bake, tmp_path: Path) -> None:
    shutil.copytree(bake().path, tmp_path / "project", ignore=shutil.ignore_patterns(".env"))
    done = Project(tmp_path / "project").run("docker", "compose", "config")
    assert done.returncode != 0
    assert "copy .env.example to .env and fill it in" in done.stderr


def test_the_composition_hands_on_every_variable_of_opentelemetry(bake: Bake, tmp_path: Path) -> None:
    shutil.copytree(bake(telemetry=True).path, tmp_path / "project")
    with (tmp_path / "project/.env").open("a", encoding="utf-8") as file:
        file.write("OTEL_BSP_SCHEDULE_DELAY=10\nOTEL_SERVICE_NAME=shop\n")
    done = Project(tmp_path / "project").run("docker", "compose", "config", "--format", "json")
    handed_on = json.loads(done.stdout)["services"]["api"]["environment"]
    assert handed_on.items() >= {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_SERVICE_NAME": "shop"}.items()


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
