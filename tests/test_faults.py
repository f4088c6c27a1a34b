"""Broken surroundings: the project stays, the reason is told, and so is the command that repeats the step."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import ROOT, Generate, Project, assert_gone, command_line, run

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
        return {"PATH": str(folder), "BACKEND_SKIP_SETUP": "", "UV_CACHE_DIR": CACHE, "PYENV_ROOT": ""}

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
        copy = tmp_path_factory.mktemp("template")
        shutil.copy(ROOT / "cookiecutter.json", copy)
        for folder in ("hooks", "{{cookiecutter.project_slug}}"):
            shutil.copytree(ROOT / folder, copy / folder)
        path = copy / "{{cookiecutter.project_slug}}" / name
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
        self, generate: Generate, edited: Callable[..., Path], tmp_path: Path
    ) -> None:
        template = edited("Dockerfile", lambda _: "FROM scratch\nCOPY nowhere /\n")
        done = generate(NO_VENV, env={"BACKEND_SKIP_SETUP": ""}, template=template)
        assert done.returncode == 0
        assert "  docker   failed: docker ended with exit code 1\n" in done.stdout
        assert "nowhere" in done.stdout.split("docker   failed: ")[1]
        assert REPEAT_DOCKER in done.stdout
        assert_kept(tmp_path)

    def test_a_slow_build_is_ended(
        self, generate: Generate, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        slow = tools(docker=hanging_at('*"build -t"*|*"--load -t"*', "/bin/true")) | {"BACKEND_TIMEOUT": "1"}
        done = generate(NO_VENV, env=slow)
        assert done.returncode == 0
        assert "skipped: stopped after 1 s while building the image budget-api" in done.stdout
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

    def test_the_nearest_python_is_used_and_told_where_the_one_asked_for_is_broken(
        self, generate: Generate, tools: Tools, tmp_path: Path
    ) -> None:
        crashing = tools(uv="exit 139", **{"python3.14": "exit 127"})
        done = generate(NO_DOCKER, "python_version=3.14", env=crashing)
        assert done.returncode == 0
        assert (
            f"Python 3.14 is not installed here; this one uses Python 3.{sys.version_info.minor} instead" in done.stdout
        )
        assert "  venv     failed: uv ended with exit code 139\n" in done.stdout
        assert REPEAT_UV in done.stdout
        assert_kept(tmp_path)

    @needs_uv
    def test_a_full_disk_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        small = tmp_path / "small"
        small.mkdir()
        mounted = run(("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small), cwd=tmp_path)
        if mounted.returncode:
            pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
        try:
            done = generate("-o", str(small), NO_DOCKER, env=tools(uv=UV))
            assert done.returncode == 0
            assert "  venv     skipped: the disk is full\n" in done.stdout
            assert not assert_kept(small).has("venv")
        finally:
            run(("umount", "-l", small), cwd=tmp_path)

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

    def test_both_proofs_end_together(
        self, interrupted_while: Callable[..., str], tools: Tools, tmp_path: Path
    ) -> None:
        hanging = 'echo $$ > "$TMPDIR/pid"; /bin/sleep 60'
        said = interrupted_while("docker: asking the engine", env=tools(docker=hanging, **{"python3.13": hanging}))
        assert said.count("skipped: interrupted while ") == 2
        assert_kept(tmp_path)


def iter_until(lines: Iterator[str], words: str) -> Iterator[str]:
    """Yield lines up to the one with these words."""
    for line in lines:
        yield line
        if words in line:
            return


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    for _ in range(100):
        if path.exists():
            return
        time.sleep(0.05)
    pytest.fail(f"{path} did not appear")


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
