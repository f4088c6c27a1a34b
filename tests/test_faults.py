"""Broken surroundings: the project stays, the reason is told, and so is the command that repeats the step."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import (
    ROOT,
    TEMPLATE,
    Bake,
    Generate,
    Project,
    assert_gone,
    command_line,
    copy_template,
    path_with_uv,
    run,
    tool,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the broken tools are shell scripts")

DOCKER = shutil.which("docker")
UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
ENGINE = DOCKER is not None and run((DOCKER, "info"), cwd=ROOT).returncode == 0
CACHE = run((UV, "cache", "dir"), cwd=ROOT).stdout.strip() if UV else ""

needs_engine = pytest.mark.skipif(not ENGINE, reason="no Docker engine answers")
needs_uv = pytest.mark.skipif(not UV, reason="uv is not installed")

NO_VENV, NO_DOCKER = "create_venv=no", "check_docker=no"
REPEAT_DOCKER = "repeat: docker build -t budget-api ."
REPEAT_UV = "&& uv pip install --python venv --require-hashes -r requirements-dev.txt"
REPEAT_PIP = "-m venv venv && venv/bin/pip install --require-hashes -r requirements-dev.txt"

Tools = Callable[..., dict[str, str]]


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Make an environment whose PATH holds these tools and no others; a text is a shell script."""

    def tools(**scripts: str | None) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("tools")
        for name, script in scripts.items():
            if script is None:
                continue
            if Path(script).is_absolute():
                (folder / name).symlink_to(script)
            else:
                (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
                (folder / name).chmod(0o755)
        here = {"PATH": str(folder), "BACKEND_SKIP_SETUP": "", "UV_CACHE_DIR": CACHE, "PYENV_ROOT": ""}
        # A home that is new has no plugins of Docker.
        here["DOCKER_CONFIG"] = os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
        return here | dict.fromkeys(("PIP_INDEX_URL", "PIP_CERT", "HTTPS_PROXY"), "")

    return tools


def hanging_at(step: str, tool: str | None) -> str:
    """Write a tool that hangs at one step, leaves its process number, and works as usual at the others."""
    return f'case "$*" in {step}) echo $$ > "$TMPDIR/pid"; /bin/sleep 60; exit 1;; esac\nexec {tool} "$@"'


def assert_kept(output: Path) -> Project:
    """The project is there, finished as far as it does not depend on its surroundings."""
    project = Project(output / "budget-api")
    assert project.has("api/main.py")
    assert "# option:" not in project.text("pyproject.toml")
    assert stat.S_IMODE((project.path / ".env").stat().st_mode) == 0o600
    return project


@pytest.fixture
def edited(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[str], str]], Path]:
    """Copy the template with one of its files changed."""

    def edited(name: str, change: Callable[[str], str]) -> Path:
        copy = copy_template(tmp_path_factory.mktemp("template"))
        path = copy / TEMPLATE.name / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
        return copy

    return edited


class TestDocker:
    """An engine that is missing, dead, silent or slow, and an image that does not build."""

    def test_no_docker_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(NO_VENV, env=tools())
        assert done.returncode == 0
        assert "  docker   skipped: docker is not on the PATH\n" in done.stdout
        assert REPEAT_DOCKER in done.stdout
        assert_kept(tmp_path)

    @pytest.mark.skipif(not DOCKER, reason="docker is not installed")
    def test_a_dead_engine_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(NO_VENV, env=tools(docker=DOCKER) | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
        assert done.returncode == 0
        assert "  docker   skipped: the Docker engine does not answer: " in done.stdout
        assert "none.sock" in done.stdout
        assert REPEAT_DOCKER in done.stdout
        assert_kept(tmp_path)

    @pytest.mark.slow
    @pytest.mark.skipif(not DOCKER, reason="docker is not installed")
    def test_an_engine_that_never_answers_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
            done = generate(NO_VENV, env=tools(docker=DOCKER) | {"DOCKER_HOST": host, "BACKEND_TIMEOUT": "1"})
        assert done.returncode == 0
        assert "  docker   skipped: stopped after 1 s while asking the engine (BACKEND_TIMEOUT" in done.stdout
        assert_kept(tmp_path)

    @pytest.mark.docker
    @pytest.mark.slow
    @needs_engine
    def test_an_image_that_does_not_build_has_failed(
        self, generate: Generate, tools: Tools, edited: Callable[..., Path], tmp_path: Path
    ) -> None:
        template = edited("Dockerfile", lambda _: "FROM scratch\nCOPY nowhere /\n")
        done = generate(NO_VENV, env=tools(docker=DOCKER), template=template)
        assert done.returncode == 0
        assert "  docker   failed: docker ended with exit code 1\n" in done.stdout
        assert "nowhere" in done.stdout.split("docker   failed: ")[1]
        assert REPEAT_DOCKER in done.stdout
        assert_kept(tmp_path)

    @pytest.mark.parametrize(
        ("words", "verdict"),
        [
            ("ERROR: failed to solve: process did not complete", "failed: docker ended with exit code 1\n"),
            ("write /var/lib/docker/tmp/x: no space left on device", "skipped: the disk is full\n"),
            (
                "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/",
                "skipped: BuildKit is missing (Debian and Ubuntu: apt install docker-buildx)\n",
            ),
            ("dial tcp: lookup registry-1.docker.io: i/o timeout", "skipped: no connection could be made\n"),
        ],
    )
    def test_a_build_that_stops_tells_why(
        self, generate: Generate, tools: Tools, tmp_path: Path, words: str, verdict: str
    ) -> None:
        docker = f'case "$*" in "buildx build"*) echo "{words}"; exit 1;; esac'
        done = generate(NO_VENV, env=tools(docker=docker))
        assert done.returncode == 0
        assert f"  docker   {verdict}" in done.stdout
        assert words in done.stdout
        assert REPEAT_DOCKER in done.stdout
        assert_kept(tmp_path)

    @pytest.mark.parametrize(
        ("step", "doing"),
        [
            ("info*", "asking the engine"),
            ("buildx*version", "building the image budget-api"),
            ("buildx*build*", "building the image budget-api"),
            ("run*", "importing api.main in the image"),
        ],
    )
    def test_what_hangs_is_ended(self, generate: Generate, tools: Tools, tmp_path: Path, step: str, doing: str) -> None:
        env = tools(docker=hanging_at(step, "/bin/true")) | {"BACKEND_TIMEOUT": "1", "TMPDIR": str(tmp_path)}
        done = generate(NO_VENV, env=env)
        assert done.returncode == 0
        assert f"  docker   skipped: stopped after 1 s while {doing} (BACKEND_TIMEOUT" in done.stdout
        assert REPEAT_DOCKER in done.stdout
        assert_gone(tmp_path / "pid")
        assert_kept(tmp_path)


class TestVenv:
    """An index, a Python, a disk or a lock that is no good."""

    @needs_uv
    @pytest.mark.parametrize(
        "broken",
        [
            {"UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"},
            {"UV_OFFLINE": "1"},
        ],
        ids=["unreachable", "offline"],
    )
    def test_an_index_out_of_reach_is_skipped(
        self, generate: Generate, tools: Tools, tmp_path: Path, broken: dict[str, str]
    ) -> None:
        done = generate(NO_DOCKER, env=tools(uv=UV) | {"UV_CACHE_DIR": str(tmp_path / "cache")} | broken)
        assert done.returncode == 0
        assert "  venv     skipped: the package index cannot be reached\n" in done.stdout
        assert REPEAT_UV in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    def test_an_index_out_of_reach_of_pip_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        env = tools() | {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_NO_CACHE_DIR": "1"}
        done = generate(NO_DOCKER, env=env | {"PIP_FIND_LINKS": ""})
        assert done.returncode == 0
        assert "  venv     skipped: the package index cannot be reached\n" in done.stdout
        assert REPEAT_PIP in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @needs_uv
    @pytest.mark.parametrize(
        ("status", "told"),
        [(500, "500 Internal Server Error"), (200, "your requirements are unsatisfiable")],
        ids=["dead", "portal"],
    )
    def test_an_index_that_is_broken_has_failed(
        self, generate: Generate, tools: Tools, tmp_path: Path, status: int, told: str
    ) -> None:
        class Broken(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<html>Please log in to this network</html>")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            index = {"UV_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple", "UV_HTTP_RETRIES": "0"}
            done = generate(NO_DOCKER, env=tools(uv=UV) | {"UV_CACHE_DIR": str(tmp_path / "cache")} | index)
            server.shutdown()
        assert done.returncode == 0
        assert re.search("  venv     failed: uv ended with exit code [12]\n", done.stdout)
        assert told in done.stdout
        assert REPEAT_UV in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    @needs_uv
    def test_an_index_that_never_answers_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            index = {"UV_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple", "BACKEND_TIMEOUT": "3"}
            done = generate(NO_DOCKER, env=tools(uv=UV) | {"UV_CACHE_DIR": str(tmp_path / "cache")} | index)
        assert done.returncode == 0
        assert re.search("  venv     skipped: stopped after 3 s while (making venv/|installing) ", done.stdout)
        assert REPEAT_UV in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    @needs_uv
    def test_nothing_is_fetched_or_compiled_twice(
        self, generate: Generate, tools: Tools, finished: Project, tmp_path: Path
    ) -> None:
        python = (finished.path / "venv" / "bin" / "python").resolve()
        log = tmp_path / "log"
        env = tools(uv=f'echo "$*" >> {log}\nexec {UV} "$@"', python3=str(python))
        done = generate(NO_DOCKER, env=env | {"PYTHONDONTWRITEBYTECODE": ""})
        assert "  venv     ok" in done.stdout
        asked = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith(("venv", "pip"))]
        assert asked
        assert all(line.endswith(" --offline") for line in asked)
        assert [*(assert_kept(tmp_path).path / "api" / "__pycache__").glob("main.*.pyc")]

    @pytest.mark.slow
    @needs_uv
    def test_a_wrong_hash_has_failed(
        self, generate: Generate, tools: Tools, edited: Callable[..., Path], tmp_path: Path
    ) -> None:
        template = edited("requirements-dev.txt", lambda lock: re.sub("sha256:...", "sha256:bad", lock))
        done = generate(NO_DOCKER, env=tools(uv=UV), template=template)
        assert done.returncode == 0
        assert "  venv     failed: uv ended with exit code 1\n" in done.stdout
        assert "Hash mismatch for" in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    def test_a_python_without_ensurepip_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        words = "The virtual environment was not created successfully because ensurepip is not available."
        python = f'case "$*" in *venv*) echo "{words}"; exit 1;; esac\necho "[\\"cpython\\", 3, 13, \\"$0\\"]"'
        done = generate(NO_DOCKER, env=tools(**{"python3.13": python}))
        assert done.returncode == 0
        assert "  venv     skipped: ensurepip is missing or broken (Debian and Ubuntu: apt install" in done.stdout
        assert f"repeat: python3.13 {REPEAT_PIP}" in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.parametrize(("crash", "code"), [("exit 139", 139), ("kill -SEGV $$", -11)])
    def test_the_nearest_python_is_used_and_told_where_the_one_asked_for_is_broken(
        self, generate: Generate, tools: Tools, tmp_path: Path, crash: str, code: int
    ) -> None:
        here = sys.version_info.minor
        asked = 13 if here == 14 else 14
        crashing = tools(uv=crash, **{f"python3.{asked}": "exit 127"})
        done = generate(NO_DOCKER, f"python_version=3.{asked}", env=crashing)
        assert done.returncode == 0
        assert f"Python 3.{asked} is not installed here; this one uses Python 3.{here} instead" in done.stdout
        assert f"  venv     failed: uv ended with exit code {code}\n" in done.stdout
        assert REPEAT_UV in done.stdout
        assert_kept(tmp_path)

    def test_a_python_that_is_gone_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(NO_DOCKER, env=tools(**{"python3.13": 'echo "[\\"cpython\\", 3, 13, \\"/nowhere/python\\"]"'}))
        assert done.returncode == 0
        assert "  venv     skipped: /nowhere/python cannot be started: No such file or directory\n" in done.stdout
        assert REPEAT_PIP in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @needs_uv
    def test_a_full_disk_is_skipped(self, generate: Generate, tools: Tools, mounted: Callable[[str], Path]) -> None:
        small = mounted("size=4m")
        done = generate("-o", str(small), NO_DOCKER, env=tools(uv=UV))
        assert done.returncode == 0
        assert "  venv     skipped: the disk is full\n" in done.stdout
        assert REPEAT_UV in done.stdout
        assert not assert_kept(small).has("venv")

    @needs_uv
    def test_a_home_that_can_only_be_read_is_skipped(
        self, generate: Generate, tools: Tools, tmp_path: Path, mounted: Callable[[str], Path]
    ) -> None:
        home = mounted("ro")
        config = tmp_path / "config.yaml"
        config.write_text(f"replay_dir: {tmp_path}/replay\ncookiecutters_dir: {tmp_path}/templates\n", encoding="utf-8")
        env = {"HOME": str(home), "COOKIECUTTER_CONFIG": str(config), "UV_CACHE_DIR": "", "XDG_CACHE_HOME": ""}
        done = generate(NO_DOCKER, env=tools(uv=UV) | env)
        assert done.returncode == 0, done.stderr
        assert "  venv     skipped: a folder that is needed can only be read\n" in done.stdout
        assert str(home) in done.stdout
        assert REPEAT_UV in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    @needs_uv
    def test_an_application_that_cannot_be_imported_has_failed(
        self, generate: Generate, tools: Tools, edited: Callable[..., Path], tmp_path: Path
    ) -> None:
        template = edited("api/main.py", lambda _: "raise RuntimeError('no')\n")
        done = generate(NO_DOCKER, env=tools(uv=UV), template=template)
        assert done.returncode == 0
        assert "  venv     failed: python ended with exit code 1\n" in done.stdout
        assert "RuntimeError: no\n" in done.stdout
        assert assert_kept(tmp_path).has("venv/.installed")

    @pytest.mark.slow
    @needs_uv
    def test_a_venv_that_is_there_is_used_again(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        foreign = {"GIT_DIR": "/nowhere", "VIRTUAL_ENV": "/nowhere", "PYTHONSAFEPATH": "1", "UV_PYTHON": "2.7"}
        first = generate(NO_DOCKER, env=tools(uv=UV) | foreign)
        assert "  venv     ok (" in first.stdout, first.stdout
        project = assert_kept(tmp_path)
        (project.path / "venv" / "mine").touch()
        secrets = project.text(".env")
        second = generate("-f", NO_DOCKER, env=tools(uv=UV))
        assert "  venv     ok (" in second.stdout, second.stdout
        assert project.has("venv/mine")
        assert project.text(".env") == secrets

    def test_a_venv_that_does_not_work_stays_as_it_is(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        (tmp_path / "budget-api" / "venv" / "bin").mkdir(parents=True)
        done = generate("-f", NO_DOCKER, env=tools())
        assert (
            "skipped: venv/ was there already, and its Python does not run or is too old: remove venv/\n" in done.stdout
        )
        assert assert_kept(tmp_path).has("venv/bin")


class TestFinish:
    """A project that is not finished says so, and how it is finished."""

    def test_without_hooks_the_project_tells_how_to_finish_it(
        self, generate: Generate, bake: Bake, tmp_path: Path
    ) -> None:
        output = tmp_path / """my "späce" isn't $HOME"""
        done = generate(
            "-o", str(output), "--accept-hooks", "no", "auth=no", 'project_name=It\'s "x"', "project_slug=x"
        )
        assert done.returncode == 0, done.stderr
        project = Project(output / "x")
        assert "# option: auth" in project.text("pyproject.toml")
        command = re.search("```bash\n(.+)\n```", project.text("UNFINISHED/README.md"))
        assert command
        (project.path / "mine").write_text("mine", encoding="utf-8")
        finish = ("bash", "-c", command[1])
        done = run(finish, cwd=tmp_path, env={"HOME": str(tmp_path / "home"), "PATH": path_with_uv()})
        assert done.returncode == 0, done.stderr
        assert project.text("mine") == "mine"
        assert stat.S_IMODE((project.path / ".env").stat().st_mode) == 0o600
        finished = bake(auth=False, project_name='It\'s "x"', project_slug="x")
        assert set(project.files()) == {*finished.files(), "mine"}
        assert [name for name in finished.files() if name != ".env" and project.text(name) != finished.text(name)] == []

    def test_a_hook_that_stumbles_tells_how_to_finish(
        self, generate: Generate, edited: Callable[..., Path], tmp_path: Path
    ) -> None:
        template = edited("api/main.py", lambda text: f"{text}# end: auth\n")
        done = generate(NO_VENV, NO_DOCKER, template=template)
        assert done.returncode == 0
        assert re.search("  options  failed: .*'# end: auth' ends no block\n", done.stdout)
        assert "repeat: as UNFINISHED/README.md says" in done.stdout
        assert Project(tmp_path / "budget-api").has("UNFINISHED/answers.json")

    def test_a_disk_that_is_too_full_for_the_settings_is_skipped(
        self, generate: Generate, edited: Callable[..., Path], mounted: Callable[[str], Path]
    ) -> None:
        small = mounted("size=8m")
        template = edited(".env.example", lambda text: text + "# long\n" * 700_000)
        done = generate("-o", str(small), NO_VENV, NO_DOCKER, template=template)
        assert done.returncode == 0, done.stderr
        assert "  .env     skipped: the disk is full\n           repeat: cp .env.example .env\n" in done.stdout
        project = Project(small / "budget-api")
        assert project.has("api/main.py")
        assert not project.has(".env")


class TestInterrupt:
    """Ctrl-C, and the end of the terminal."""

    @pytest.fixture
    def interrupted_while(self, tmp_path: Path, home: Path) -> Callable[..., str]:
        """Start a real run, press Ctrl-C as soon as it says what it is doing, and return all that it said."""

        def interrupted_while(doing: str, *answers: str, env: dict[str, str], sign: int = signal.SIGINT) -> str:
            merged = os.environ | env | {"HOME": str(home), "TMPDIR": str(tmp_path)}
            with subprocess.Popen(
                [str(part) for part in command_line(tmp_path, *answers)],
                env=merged,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            ) as process:
                assert process.stdout
                before = "".join(iter_until(process.stdout, doing))
                wait_for(tmp_path / "pid")
                os.killpg(process.pid, sign)
                return before + process.stdout.read()

        return interrupted_while

    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_every_sign_to_end_is_understood(
        self, interrupted_while: Callable[..., str], tools: Tools, tmp_path: Path, sign: int
    ) -> None:
        env = tools(docker=hanging_at("info*", "/bin/true"))
        said = interrupted_while("docker: asking the engine", NO_VENV, env=env, sign=sign)
        assert "  docker   skipped: interrupted while asking the engine\n" in said
        assert REPEAT_DOCKER in said
        assert_gone(tmp_path / "pid")
        assert_kept(tmp_path)

    @pytest.mark.parametrize(
        ("step", "doing"),
        [
            ("buildx*version", "building the image budget-api"),
            ("*buildx*build*", "building the image budget-api"),
            ("run*", "importing api.main in the image"),
        ],
    )
    def test_docker_is_ended(
        self, interrupted_while: Callable[..., str], tools: Tools, tmp_path: Path, step: str, doing: str
    ) -> None:
        said = interrupted_while(f"docker: {doing}", NO_VENV, env=tools(docker=hanging_at(step, "/bin/true")))
        assert f"  docker   skipped: interrupted while {doing}\n" in said
        assert_gone(tmp_path / "pid")
        assert_kept(tmp_path)

    @needs_uv
    @pytest.mark.parametrize(
        ("step", "doing"), [("venv*", "making venv/ with"), ("pip*", "installing requirements-dev.txt with uv")]
    )
    def test_a_venv_that_is_half_made_is_removed(
        self, interrupted_while: Callable[..., str], tools: Tools, tmp_path: Path, step: str, doing: str
    ) -> None:
        said = interrupted_while(f"venv: {doing}", NO_DOCKER, env=tools(uv=hanging_at(step, UV)))
        assert f"  venv     skipped: interrupted while {doing}" in said
        assert_gone(tmp_path / "pid")
        assert not assert_kept(tmp_path).has("venv")

    def test_the_look_for_a_python_is_ended(
        self, interrupted_while: Callable[..., str], tools: Tools, tmp_path: Path
    ) -> None:
        hanging = tools(**{"python3.13": hanging_at("*", "/bin/true")})
        said = interrupted_while("venv: looking for Python 3.13", NO_DOCKER, env=hanging)
        assert "  venv     skipped: interrupted while looking for Python 3.13\n" in said
        assert REPEAT_PIP in said
        assert_gone(tmp_path / "pid")
        assert not assert_kept(tmp_path).has("venv")

    def test_a_venv_that_is_complete_stays_when_the_import_is_ended(
        self, interrupted_while: Callable[..., str], tools: Tools, tmp_path: Path
    ) -> None:
        python = r'echo $$ > "$TMPDIR/pid"\nexec /bin/sleep 60\n'
        uv = f"""case "$1" in venv)
            /bin/mkdir -p venv/bin
            printf '#!/bin/sh\n{python}' > venv/bin/python
            /bin/chmod +x venv/bin/python
        esac"""
        said = interrupted_while("venv: importing api.main in venv/", NO_DOCKER, env=tools(uv=uv))
        assert "  venv     skipped: interrupted while importing api.main in venv/\n" in said
        assert REPEAT_UV in said
        assert_gone(tmp_path / "pid")
        assert assert_kept(tmp_path).has("venv/.installed")

    def test_both_proofs_end_together(
        self, interrupted_while: Callable[..., str], tools: Tools, tmp_path: Path
    ) -> None:
        hanging = 'echo $$ > "$TMPDIR/pid"; /bin/sleep 60'
        said = interrupted_while("docker: asking the engine", env=tools(docker=hanging, **{"python3.13": hanging}))
        assert re.findall("skipped: interrupted while (.+)", said) == ["looking for Python 3.13", "asking the engine"]
        assert_kept(tmp_path)


def iter_until(lines: Iterator[str], words: str) -> Iterator[str]:
    """Yield lines up to the one with these words."""
    for line in lines:
        yield line
        if words in line:
            return


def wait_for(path: Path) -> None:
    """Wait until something stands in a file: the shell makes it, and writes into it a moment later."""
    for _ in range(100):
        if path.exists() and path.stat().st_size:
            return
        time.sleep(0.05)
    pytest.fail(f"nothing was written to {path}")


class TestConsole:
    """Streams, encodings and folders of other people."""

    @pytest.mark.parametrize(
        "console", [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}], ids=str
    )
    def test_a_console_that_cannot_show_a_character_still_works(
        self, generate: Generate, tmp_path: Path, console: dict[str, str]
    ) -> None:
        done = generate("project_name=日本 🍪", "project_slug=budget-api", env=console)
        assert done.returncode == 0, done.stderr
        assert "?? ? is in " in done.stdout
        assert_kept(tmp_path)
        assert generate("project_name=日\x1b", "project_slug=other", env=console).returncode == 1

    @pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-", "| head -n 1"])
    def test_a_closed_stream_loses_nothing(self, tmp_path: Path, home: Path, closed: str) -> None:
        command = ("bash", "-o", "pipefail", "-c", f'"$@" {closed}', "bash", *command_line(tmp_path))
        done = run(command, cwd=tmp_path, env={"HOME": str(home)})
        assert done.returncode == 0, done.stderr
        assert_kept(tmp_path)

    def test_modules_in_the_temporary_folder_are_not_imported(self, generate: Generate, tmp_path: Path) -> None:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        for name in ("json", "re", "__future__", "subprocess"):
            (temporary / f"{name}.py").write_text("raise SystemExit('foreign')\n", encoding="utf-8")
        assert generate(env={"TMPDIR": str(temporary)}).returncode == 0
        assert generate("project_slug=../x", env={"TMPDIR": str(temporary)}).returncode == 1
        assert_kept(tmp_path)

    def test_modules_in_the_current_folder_are_not_imported(self, tools: Tools, tmp_path: Path, home: Path) -> None:
        for name in ("json", "re", "secrets", "subprocess", "venv"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('foreign')\n", encoding="utf-8")
        command = (tool("cookiecutter"), *command_line(tmp_path)[3:])
        done = run(command, cwd=tmp_path, env=tools() | {"HOME": str(home), "BACKEND_SKIP_SETUP": "1"})
        assert done.returncode == 0, done.stderr
        assert_kept(tmp_path)

    def test_tools_see_no_other_project(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        foreign = {
            "GIT_DIR": "/foreign",
            "GIT_WORK_TREE": "/foreign",
            "VIRTUAL_ENV": "/foreign",
            "PIP_TARGET": "/foreign",
        }
        telling = f'exec /usr/bin/env >> "{tmp_path}/seen"'
        done = generate(env=tools(docker=telling, uv=telling) | foreign)
        assert done.returncode == 0, done.stderr
        seen = (tmp_path / "seen").read_text(encoding="utf-8")
        assert "PATH=" in seen
        assert "/foreign" not in seen

    def test_a_home_that_is_missing_and_a_path_with_spaces_do_no_harm(
        self, generate: Generate, tools: Tools, tmp_path: Path
    ) -> None:
        config = tmp_path / "config.yaml"
        config.write_text(f"replay_dir: {tmp_path}/replay\ncookiecutters_dir: {tmp_path}/templates\n", encoding="utf-8")
        output = tmp_path / "my späce"
        env = tools() | {"HOME": "/nowhere", "COOKIECUTTER_CONFIG": str(config), "BACKEND_TIMEOUT": "0.1"}
        done = generate("-o", str(output), env=env)
        assert done.returncode == 0, done.stderr
        assert f"cd '{output}/budget-api'" in done.stdout
        assert_kept(output)


class TestSwitches:
    """What the environment asks for."""

    def test_a_wrong_time_limit_is_told(self, generate: Generate, tools: Tools) -> None:
        done = generate(NO_VENV, env=tools() | {"BACKEND_TIMEOUT": "soon"})
        assert done.returncode == 0
        assert "BACKEND_TIMEOUT='soon' is no number of seconds; 900 are used." in done.stdout

    @pytest.mark.parametrize("skip", ["", "1"])
    def test_strict_fails_for_what_is_not_ok(self, generate: Generate, tools: Tools, tmp_path: Path, skip: str) -> None:
        done = generate(NO_VENV, env=tools() | {"BACKEND_STRICT": "yes", "BACKEND_SKIP_SETUP": skip})
        assert done.returncode == 1
        assert "--keep-project-on-failure" in done.stdout
        assert not (tmp_path / "budget-api").exists()

    def test_strict_keeps_the_project_where_that_is_asked_for(
        self, generate: Generate, tools: Tools, tmp_path: Path
    ) -> None:
        done = generate("--keep-project-on-failure", NO_VENV, env=tools() | {"BACKEND_STRICT": "1"})
        assert done.returncode == 1
        assert_kept(tmp_path)

    def test_strict_is_content_with_proofs_that_were_declined(self, generate: Generate, tools: Tools) -> None:
        assert generate(NO_VENV, NO_DOCKER, env=tools() | {"BACKEND_STRICT": "1"}).returncode == 0

    @pytest.mark.docker
    @pytest.mark.slow
    @needs_engine
    @needs_uv
    def test_strict_is_content_where_all_is_well(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(env=tools(docker=DOCKER, uv=UV) | {"BACKEND_STRICT": "1"})
        assert done.returncode == 0, done.stdout
        assert "  venv     ok (" in done.stdout
        assert "  docker   ok (" in done.stdout
        assert_kept(tmp_path)
