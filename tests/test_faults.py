"""Missing, broken and slow surroundings: the project stays, each step says how it ended and how it is repeated."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import ROOT, TEMPLATE, Bake, Generate, Project, assert_gone, command_line, copy_template, run, tool
from engine import needs_engine
from repository import commit, git

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the broken tools are shell scripts")

DOCKER = shutil.which("docker")
UV = str(tool("uv"))
CACHE = run((UV, "cache", "dir"), cwd=ROOT).stdout.strip()

NO_VENV, NO_DOCKER = "create_venv=no", "check_docker=no"
REPEAT = {
    "docker": "           repeat: docker build -t budget-api .\n",
    "uv": (
        "           repeat: uv venv --seed --python 3.13 venv\n"
        "                   uv pip install --python venv --require-hashes -r requirements-dev.txt\n"
    ),
    "python3.13": (
        "           repeat: python3.13 -m venv venv\n"
        "                   venv/bin/pip install --require-hashes -r requirements-dev.txt\n"
    ),
}

# What a tool does, and what the step is doing then; the step ends when the tool does.
STEPS = [
    ("docker", "version*", "asking the engine"),
    ("docker", "buildx*version", "building the image budget-api"),
    ("docker", "*buildx*build*", "building the image budget-api"),
    ("docker", "run*", "importing api.main in the image"),
    ("uv", "venv*", "making venv/ with Python 3.13"),
    ("uv", "pip*", "installing requirements-dev.txt with uv"),
    ("python3.13", "*venv*", "making venv/ with Python 3.13"),
]
every_step = pytest.mark.parametrize(
    ("name", "call", "doing"), STEPS, ids=[f"{name} {call}" for name, call, _ in STEPS]
)

# An environment as uv makes one, whose Python is a script.
FAKE_UV = """case "$1" in venv)
    /bin/mkdir -p venv/bin
    printf '#!/bin/sh\\n{python}\\n' > venv/bin/python
    /bin/chmod +x venv/bin/python
esac"""

Tools = Callable[..., dict[str, str]]
Edited = Callable[..., Path]


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Make an environment whose PATH holds these tools and no others; a text is a shell script."""

    def tools(**scripts: str | None) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("tools")
        for name, script in scripts.items():
            if Path(str(script)).is_absolute():
                (folder / name).symlink_to(str(script))
            else:
                (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
                (folder / name).chmod(0o755)
        here = {"PATH": str(folder), "BACKEND_SKIP_SETUP": "", "UV_CACHE_DIR": CACHE}
        # A home that is new has no plugins of Docker.
        here["DOCKER_CONFIG"] = os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
        return here | dict.fromkeys(("PIP_INDEX_URL", "PIP_CERT", "HTTPS_PROXY", "https_proxy"), "")

    return tools


@pytest.fixture
def edited(tmp_path_factory: pytest.TempPathFactory) -> Edited:
    """Copy the template with other contents of some files."""

    def edited(**contents: str) -> Path:
        copy = copy_template(tmp_path_factory.mktemp("template"))
        for name, content in contents.items():
            (copy / TEMPLATE.name / name).write_text(content, encoding="utf-8", newline="\n")
        return copy

    return edited


def hanging_at(call: str) -> str:
    """Write a tool that hangs at one call, after it has left its process number, and succeeds at the others."""
    return f'case "$*" in {call}) echo $$ > "$TMPDIR/pid"; exec /bin/sleep 60;; esac'


def assert_kept(output: Path) -> Project:
    """The project is finished as far as that does not depend on its surroundings."""
    project = Project(output / "budget-api")
    assert project.has("api/main.py")
    assert "# option:" not in project.text("pyproject.toml")
    assert stat.S_IMODE((project.path / ".env").stat().st_mode) == 0o600
    assert not project.has("UNFINISHED")
    return project


class TestDocker:
    """An engine that is missing, dead, silent or slow, and an image that does not build."""

    def test_without_docker_and_podman_it_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(NO_VENV, env=tools())
        assert done.returncode == 0
        assert f"  docker   skipped: neither docker nor podman is on the PATH\n{REPEAT['docker']}" in done.stdout
        assert_kept(tmp_path)

    def test_podman_is_used_where_there_is_no_docker(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        podman = f'echo "$*" >> {tmp_path}/log; case "$*" in *buildx*) exit 125;; run*) exit 1;; esac'
        done = generate(NO_VENV, env=tools(podman=podman))
        assert "\n  docker   failed: podman ended with exit code 1\n           repeat: podman build -t" in done.stdout
        assert "\nbuild -t budget-api .\nrun --rm " in (tmp_path / "log").read_text(encoding="utf-8")

    def test_a_build_gets_what_leads_to_a_private_index(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        docker = f'echo "$*" >> {tmp_path}/log; case "$*" in *build*" .") exit 1;; esac'
        sources = {
            "https_proxy": "http://proxy:1",
            "PIP_INDEX_URL": "https://ada:token@x/simple",
            "PIP_CERT": "/ca.pem",
        }
        done = generate(NO_VENV, env=tools(docker=docker) | sources)
        secrets = "--secret id=PIP_CERT,src=/ca.pem --secret id=HTTPS_PROXY,env=https_proxy --secret id=PIP_INDEX_URL,env=PIP_INDEX_URL"
        assert f"build --load {secrets} -t budget-api .\n" in (tmp_path / "log").read_text(encoding="utf-8")
        assert f"repeat: docker build {secrets} -t budget-api .\n" in done.stdout
        mounted = re.findall(r"--mount=type=secret,id=(\w+)", (TEMPLATE / "Dockerfile").read_text(encoding="utf-8"))
        assert set(mounted) == set(re.findall(r"id=(\w+)", secrets))

    @pytest.mark.skipif(not DOCKER, reason="docker is not installed")
    def test_a_dead_engine_is_skipped(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(NO_VENV, env=tools(docker=DOCKER) | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
        assert done.returncode == 0
        assert "  docker   skipped: the engine does not answer: " in done.stdout
        assert "none.sock" in done.stdout
        assert REPEAT["docker"] in done.stdout
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
        self, generate: Generate, tools: Tools, edited: Edited, tmp_path: Path
    ) -> None:
        template = edited(Dockerfile="FROM scratch\nCOPY nowhere /\n")
        done = generate(NO_VENV, env=tools(docker=DOCKER), template=template)
        assert done.returncode == 0
        assert "  docker   failed: docker ended with exit code 1\n" in done.stdout
        assert "nowhere" in done.stdout.split("docker   failed: ")[1]
        assert REPEAT["docker"] in done.stdout
        assert_kept(tmp_path)

    @pytest.mark.parametrize(
        ("words", "result"),
        [
            ("write /var/lib/docker/tmp/x: no space left on device", "skipped: the disk is full\n"),
            (
                "ensurepip is not available.",
                "skipped: ensurepip is missing (Debian and Ubuntu: apt install python3-venv)\n",
            ),
            ("unknown flag: --secret", "skipped: BuildKit is missing (Debian and Ubuntu: apt install docker-buildx)\n"),
            ("ERROR: the --mount option requires BuildKit.", "skipped: BuildKit is missing (Debian"),
            ("Cannot connect to the Docker daemon at tcp://x", "skipped: the Docker engine is not running\n"),
            (
                "dial tcp: lookup registry-1.docker.io: i/o timeout",
                "skipped: there is no network, or the package index",
            ),
            ("ERROR: failed to solve: process did not complete", "failed: docker ended with exit code 1\n"),
        ],
    )
    def test_a_known_cause_is_skipped_and_any_other_has_failed(
        self, generate: Generate, tools: Tools, tmp_path: Path, words: str, result: str
    ) -> None:
        output = rf"noise\nnoise\nnoise\n\033[31mone\033[0m\n----\ntwo\r\n\nthree\n{words}\n====\n"
        done = generate(NO_VENV, env=tools(docker=f'case "$*" in *build*" .") printf "{output}"; exit 1;; esac'))
        assert done.returncode == 0
        assert f"  docker   {result}" in done.stdout
        last = "".join(f"             {line}\n" for line in ("one", "two", "three", words))
        assert f"{last}{REPEAT['docker']}" in done.stdout
        assert "noise" not in done.stdout
        assert_kept(tmp_path)


class TestVenv:
    """An index, a Python, a disk or a lock that is no good."""

    @pytest.mark.parametrize(
        "broken", [{"UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}, {"UV_OFFLINE": "1"}], ids=str
    )
    def test_an_index_out_of_reach_is_skipped(
        self, generate: Generate, tools: Tools, tmp_path: Path, broken: dict[str, str]
    ) -> None:
        done = generate(NO_DOCKER, env=tools(uv=UV) | {"UV_CACHE_DIR": str(tmp_path / "cache")} | broken)
        assert done.returncode == 0
        assert "  venv     skipped: there is no network, or the package index or registry cannot be " in done.stdout
        assert REPEAT["uv"] in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("lock", "result"),
        [("", "ok ("), (f"nowhere==1 --hash=sha256:{'0' * 64}\n", "skipped: there is no network")],
        ids=["empty", "unreachable"],
    )
    def test_without_uv_this_python_and_pip_are_used_whatever_pip_is_configured_to(
        self, generate: Generate, tools: Tools, edited: Edited, tmp_path: Path, lock: str, result: str
    ) -> None:
        (tmp_path / "pip.conf").write_text("[install]\nuser = true\nno-index = false\n", encoding="utf-8")
        template = edited(**{"requirements-dev.txt": lock, "api/main.py": ""})
        index = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_FIND_LINKS": ""}
        env = tools() | index | {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
        done = generate(NO_DOCKER, env=env, template=template)
        assert done.returncode == 0
        assert "venv: skipped: python3.13 cannot be started: No such file or directory\n" in done.stdout
        assert f"  venv     {result}" in done.stdout
        assert (REPEAT["python3.13"] in done.stdout) is bool(lock)
        assert assert_kept(tmp_path).has("venv/.installed") is not bool(lock)

    @pytest.mark.parametrize(
        ("status", "shown"),
        [(500, "500 Internal Server Error"), (200, "your requirements are unsatisfiable")],
        ids=["dead", "portal"],
    )
    def test_an_index_that_is_broken_has_failed(
        self, generate: Generate, tools: Tools, tmp_path: Path, status: int, shown: str
    ) -> None:
        class Broken(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<html>Please log in to this network</html>")

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            index = {"UV_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple", "UV_HTTP_RETRIES": "0"}
            done = generate(NO_DOCKER, env=tools(uv=UV) | {"UV_CACHE_DIR": str(tmp_path / "cache")} | index)
            server.shutdown()
        assert done.returncode == 0
        assert re.search("  venv     failed: uv ended with exit code [12]\n", done.stdout)
        assert shown in done.stdout
        assert REPEAT["uv"] in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    def test_nothing_is_fetched_or_compiled_twice(
        self, generate: Generate, tools: Tools, finished: Project, tmp_path: Path
    ) -> None:
        python, log = (finished.path / "venv" / "bin" / "python").resolve(), tmp_path / "log"
        env = tools(uv=f'echo "$*" >> {log}\nexec {UV} "$@"', python3=str(python))
        done = generate(NO_DOCKER, env=env | {"PYTHONDONTWRITEBYTECODE": ""})
        assert "  venv     ok" in done.stdout
        calls = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith(("venv", "pip"))]
        assert calls
        assert all(line.endswith(" --offline") for line in calls)
        assert [*(assert_kept(tmp_path).path / "api" / "__pycache__").glob("main.*.pyc")]

    @pytest.mark.slow
    def test_a_wrong_hash_has_failed(self, generate: Generate, tools: Tools, edited: Edited, tmp_path: Path) -> None:
        lock = (TEMPLATE / "requirements-dev.txt").read_text(encoding="utf-8")
        template = edited(**{"requirements-dev.txt": re.sub("sha256:...", "sha256:bad", lock)})
        done = generate(NO_DOCKER, env=tools(uv=UV), template=template)
        assert done.returncode == 0
        assert "  venv     failed: uv ended with exit code 1\n" in done.stdout
        assert "Hash mismatch for" in done.stdout
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.parametrize(("crash", "code"), [("exit 139", 139), ("kill -SEGV $$", -11)])
    def test_this_python_is_used_where_the_one_asked_for_is_missing(
        self, generate: Generate, tools: Tools, tmp_path: Path, crash: str, code: int
    ) -> None:
        uv = f'case "$*" in *" 3.14 "*) echo No interpreter found for Python 3.14; exit 2;; esac; {crash}'
        done = generate(NO_DOCKER, "python_version=3.14", env=tools(uv=uv))
        assert done.returncode == 0
        assert "venv: making venv/ with Python 3.14 ...\nvenv: failed: uv ended with exit code 2\n" in done.stdout
        assert f"venv: making venv/ with Python {sys.executable} ...\n" in done.stdout
        assert f"  venv     failed: uv ended with exit code {code}\n" in done.stdout
        assert "repeat: uv venv --seed --python 3.14 venv\n" in done.stdout
        assert_kept(tmp_path)

    def test_a_full_disk_is_skipped(self, generate: Generate, tools: Tools, mounted: Callable[[str], Path]) -> None:
        small = mounted("size=4m")
        done = generate("-o", str(small), NO_DOCKER, env=tools(uv=UV))
        assert done.returncode == 0
        assert "  venv     skipped: the disk is full\n" in done.stdout
        assert REPEAT["uv"] in done.stdout
        assert not assert_kept(small).has("venv")

    def test_an_application_that_cannot_be_imported_has_failed(
        self, generate: Generate, tools: Tools, tmp_path: Path
    ) -> None:
        done = generate(NO_DOCKER, env=tools(uv=FAKE_UV.format(python="echo RuntimeError: no; exit 1")))
        assert done.returncode == 0
        assert "  venv     failed: python ended with exit code 1\n             RuntimeError: no\n" in done.stdout
        assert assert_kept(tmp_path).has("venv/.installed")

    @pytest.mark.slow
    def test_a_venv_that_exists_is_used_again(self, generate: Generate, tools: Tools, copy: Project) -> None:
        project = Project(copy.path.rename(copy.path.with_name("budget-api")))
        git(project.path, "init", "--quiet")
        (project.path / ".git/info/exclude").write_text("venv\n", encoding="utf-8")
        commit(project.path, "mine")
        secrets = project.text(".env")
        foreign = {"GIT_DIR": "/nowhere", "VIRTUAL_ENV": "/nowhere", "PYTHONSAFEPATH": "1", "UV_PYTHON": "2.7"}
        git_folder = str(Path(str(shutil.which("git"))).parent)
        env = tools(uv=UV, git=str(shutil.which("git"))) | foreign
        done = generate("-f", NO_DOCKER, env=env)
        assert "  venv     ok (" in done.stdout, done.stdout + done.stderr + git_folder
        assert project.text(".env") == secrets
        assert (project.path / "venv").is_symlink()

    def test_a_venv_that_does_not_work_stays_as_it_is(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        (tmp_path / "budget-api" / "venv" / "bin").mkdir(parents=True)
        git(tmp_path / "budget-api", "init", "--quiet")
        done = generate("-f", NO_DOCKER, env=tools(git=shutil.which("git")))
        assert (
            "  venv     skipped: there is a venv/ whose Python does not run or is too old: remove venv/\n"
            in done.stdout
        )
        assert assert_kept(tmp_path).has("venv/bin")


class TestFinish:
    """A project that is not finished says so, and how it is finished."""

    def test_without_hooks_the_project_tells_how_to_finish_it(
        self, generate: Generate, bake: Bake, tmp_path: Path
    ) -> None:
        answers = {"auth": False, "project_name": 'It\'s "x"', "project_slug": "x"}
        output = tmp_path / """my "späce" isn't $HOME"""
        done = generate(
            "-o", str(output), "--accept-hooks", "no", *(f"{name}={text}" for name, text in answers.items())
        )
        assert done.returncode == 0, done.stderr
        project = Project(output / "x")
        assert "# option: auth" in project.text("pyproject.toml")
        command = re.search("```bash\n(.+)\n```", project.text("UNFINISHED/README.md"))
        assert command
        shutil.copytree(project.path, tmp_path / "x")
        path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        for folder, words in {
            project.path: command[1],
            tmp_path: command[1].replace("UNFINISHED", "x/UNFINISHED"),
        }.items():
            done = run(("bash", "-c", words), cwd=folder, env=path)
            assert done.returncode == 0, done.stderr
        fresh = bake(**answers)
        for each in (project, Project(tmp_path / "x")):
            assert each.files() == fresh.files()
            assert [name for name in fresh.files() if each.text(name) != fresh.text(name)] == [".env"]
            assert stat.S_IMODE((each.path / ".env").stat().st_mode) == 0o600

    def test_a_step_that_fails_leaves_what_finishes_the_project(
        self, generate: Generate, edited: Edited, tmp_path: Path
    ) -> None:
        main = (TEMPLATE / "api/main.py").read_text(encoding="utf-8")
        done = generate(NO_VENV, NO_DOCKER, template=edited(**{"api/main.py": f"{main}# end: auth\n"}))
        assert done.returncode == 0
        assert re.search("  files    failed: .*'# end: auth' ends no block", done.stdout)
        assert "\n           repeat: python UNFINISHED/finish.py\n" in done.stdout
        project = Project(tmp_path / "budget-api")
        (project.path / "api/main.py").write_text(main, encoding="utf-8")
        done = project.run(sys.executable, "UNFINISHED/finish.py")
        assert "  files    ok (" in done.stdout
        assert_kept(tmp_path)

    @pytest.mark.parametrize("content", ["import nowhere\n", "def\n", "raise SystemExit(3)\n", "main = None\n"])
    def test_a_broken_package_keeps_the_project(
        self, generate: Generate, edited: Edited, tmp_path: Path, content: str
    ) -> None:
        done = generate(template=edited(**{"UNFINISHED/setup/finish.py": content}), env={"BACKEND_STRICT": "1"})
        assert done.returncode == 0
        assert "The project is not finished: " in done.stdout
        assert f"To finish it: cd {tmp_path}/budget-api && python UNFINISHED/finish.py\n" in done.stdout
        assert Project(tmp_path / "budget-api").has("UNFINISHED/answers.json")

    def test_a_disk_that_is_too_full_for_the_settings_is_skipped(
        self, generate: Generate, edited: Edited, mounted: Callable[[str], Path]
    ) -> None:
        small = mounted("size=8m")
        template = edited(**{".env.example": "SECRET_KEY=\n" + "# long\n" * 700_000})
        done = generate("-o", str(small), NO_VENV, NO_DOCKER, template=template)
        assert done.returncode == 0, done.stderr
        assert "  .env     skipped: the disk is full\n" in done.stdout
        assert "\n           repeat: cp .env.example .env\n" in done.stdout
        project = Project(small / "budget-api")
        assert project.has("api/main.py")
        assert not project.has(".env")

    def test_every_bare_setting_gets_a_secret_of_its_own(
        self, generate: Generate, edited: Edited, tmp_path: Path
    ) -> None:
        template = edited(**{".env.example": "# DATABASE_URL=\nSECRET_KEY=\nLOG_LEVEL=info\nOTHER_KEY=\n"})
        assert generate(template=template).returncode == 0
        lines = Project(tmp_path / "budget-api").text(".env").splitlines()
        assert (lines[0], lines[2]) == ("# DATABASE_URL=", "LOG_LEVEL=info")
        secrets = {lines[1].removeprefix("SECRET_KEY="), lines[3].removeprefix("OTHER_KEY=")}
        assert [len(secret) for secret in secrets] == [43, 43]


class TestEnd:
    """The time limit, Ctrl-C, and the end of the terminal: they end every command, and the project stays finished."""

    @every_step
    def test_a_step_ends_with_its_time(
        self, generate: Generate, tools: Tools, tmp_path: Path, name: str, call: str, doing: str
    ) -> None:
        env = tools(**{name: hanging_at(call)}) | {"BACKEND_TIMEOUT": "1", "TMPDIR": str(tmp_path)}
        done = generate(NO_VENV if name == "docker" else NO_DOCKER, env=env)
        assert done.returncode == 0
        reason = f"skipped: stopped after 1 s while {doing} (BACKEND_TIMEOUT sets the limit)\n"
        assert f" {reason}{REPEAT[name]}" in done.stdout
        assert_gone(tmp_path / "pid")
        assert not assert_kept(tmp_path).has("venv")

    @pytest.fixture
    def interrupted(self, archive: Path, tmp_path: Path, home: Path) -> Callable[..., str]:
        """Generate, send a signal when tools hang as many as are named, and return the output."""

        def interrupted(*answers: str, env: dict[str, str], sign: int = signal.SIGINT, hanging: int = 1) -> str:
            with subprocess.Popen(
                [str(part) for part in command_line(tmp_path, *answers, template=archive)],
                env=os.environ | env | {"HOME": str(home), "TMPDIR": str(tmp_path)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            ) as process:
                assert process.stdout
                for _ in range(400):
                    if sum(path.stat().st_size > 0 for path in tmp_path.glob("pid*")) == hanging:
                        break
                    time.sleep(0.05)
                os.killpg(process.pid, sign)
                output = process.stdout.read()
            assert process.returncode == 0, output
            return output

        return interrupted

    @every_step
    def test_an_interrupt_ends_it(
        self, interrupted: Callable[..., str], tools: Tools, tmp_path: Path, name: str, call: str, doing: str
    ) -> None:
        output = interrupted(NO_VENV if name == "docker" else NO_DOCKER, env=tools(**{name: hanging_at(call)}))
        assert f" skipped: interrupted while {doing}\n{REPEAT[name]}" in output
        assert_gone(tmp_path / "pid")
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
    def test_other_signals_end_it_too(
        self, interrupted: Callable[..., str], tools: Tools, tmp_path: Path, sign: int
    ) -> None:
        output = interrupted(NO_VENV, env=tools(docker=hanging_at("version")), sign=sign)
        assert "  docker   skipped: interrupted while asking the engine\n" in output
        assert_gone(tmp_path / "pid")

    def test_a_command_that_started_others_is_ended_with_them(
        self, interrupted: Callable[..., str], tools: Tools, tmp_path: Path
    ) -> None:
        docker = """trap "" TERM; /bin/sh -c 'echo $$ > "$TMPDIR/pid"; exec /bin/sleep 60'"""
        assert "skipped: interrupted" in interrupted(NO_VENV, env=tools(docker=docker))
        assert_gone(tmp_path / "pid")

    def test_both_checks_end_together_and_a_venv_that_is_complete_stays(
        self, interrupted: Callable[..., str], tools: Tools, tmp_path: Path
    ) -> None:
        uv = FAKE_UV.format(python='echo $$ > "$TMPDIR/pid-python"; exec /bin/sleep 60')
        output = interrupted(env=tools(docker=hanging_at("version"), uv=uv), hanging=2)
        assert re.findall("skipped: interrupted while (.+)", output) == [
            "importing api.main in venv/",
            "asking the engine",
        ]
        assert_gone(tmp_path / "pid")
        assert_gone(tmp_path / "pid-python")
        assert assert_kept(tmp_path).has("venv/.installed")

    def test_ignored_signals_stay_ignored(self, tools: Tools, archive: Path, tmp_path: Path, home: Path) -> None:
        shell = """trap "" INT; "$@" & hook=$!; trap - INT; until test -s pid; do sleep 0.1; done
            kill -INT -$$; kill -INT $hook; touch go; wait $hook"""
        docker = 'case "$*" in version) echo $$ > pid; until test -e go; do :; done;; esac'
        docker = docker.replace("pid", f"{tmp_path}/pid").replace("go;", f"{tmp_path}/go;")
        command = command_line(tmp_path, NO_VENV, template=archive)
        done = run(
            ("bash", "-c", f"cd {tmp_path}; {shell.replace('kill -INT -$$; ', '')}", "bash", *command),
            cwd=tmp_path,
            env=tools(docker=docker)
            | {"HOME": str(home), "PATH": f"{tools(docker=docker)['PATH']}:{os.environ['PATH']}"},
        )
        assert "  docker   ok (" in done.stdout, done.stdout + done.stderr

    @pytest.mark.slow
    def test_tests_pass_where_signals_are_ignored(self) -> None:
        this = f"{Path(__file__).name}::TestEnd::test_other_signals_end_it_too"
        shell = 'trap "" INT HUP TERM; exec "$@"'
        done = run(("bash", "-c", shell, "bash", sys.executable, "-m", "pytest", "-q", f"tests/{this}"), cwd=ROOT)
        assert done.returncode == 0, done.stdout
        assert "2 passed" in done.stdout


class TestConsole:
    """Streams, encodings, folders and environments."""

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
    def test_a_closed_stream_loses_nothing(self, archive: Path, tmp_path: Path, home: Path, closed: str) -> None:
        command = ("bash", "-o", "pipefail", "-c", f'"$@" {closed}', "bash", *command_line(tmp_path, template=archive))
        done = run(command, cwd=tmp_path, env={"HOME": str(home)})
        assert done.returncode == 0, done.stderr
        assert_kept(tmp_path)

    def test_modules_in_the_temporary_and_the_current_folder_are_not_imported(
        self, archive: Path, tmp_path: Path, home: Path
    ) -> None:
        for name in ("json", "re", "__future__", "subprocess", "secrets", "venv", "setup"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('foreign')\n", encoding="utf-8")
        for slug, status in {"budget-api": 0, "../x": 1}.items():
            command = (tool("cookiecutter"), *command_line(tmp_path, f"project_slug={slug}", template=archive)[3:])
            done = run(command, cwd=tmp_path, env={"HOME": str(home), "TMPDIR": str(tmp_path)})
            assert done.returncode == status, done.stderr
            assert "foreign" not in done.stdout + done.stderr
        assert_kept(tmp_path)

    @pytest.mark.parametrize("safe", ["PYTHONSAFEPATH", "._pth"])
    def test_a_python_that_leaves_out_the_folder_of_a_script_keeps_its_library(
        self, archive: Path, tmp_path: Path, home: Path, safe: str
    ) -> None:
        library = sysconfig.get_paths()
        paths = [library["stdlib"], f"{library['stdlib']}/lib-dynload", library["purelib"]]
        python, env = Path(sys.executable), {"HOME": str(home)}
        if safe == "._pth":  # as in the embeddable distribution for Windows
            python = tmp_path / "python"
            shutil.copy(Path(sys.executable).resolve(), python)
            python.with_name("python._pth").write_text("\n".join(paths), encoding="utf-8")
        else:
            env |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(tmp_path / "first")}
            (tmp_path / "first").mkdir()
            (tmp_path / "first/json.py").write_text((Path(paths[0]) / "json/__init__.py").read_text("utf-8"), "utf-8")
        for slug, status in {"budget-api": 0, "../x": 1}.items():
            command = (python, *command_line(tmp_path, f"project_slug={slug}", template=archive)[1:])
            done = run(command, cwd=tmp_path, env=env)
            assert done.returncode == status, done.stderr
            assert status == 0 or "project_slug = '../x'" in done.stderr
        assert_kept(tmp_path)

    def test_tools_see_no_other_project(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        names = ("GIT_DIR", "GIT_WORK_TREE", "VIRTUAL_ENV", "PIP_TARGET", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")
        telling = f'exec /usr/bin/env >> "{tmp_path}/seen"'
        done = generate(env=tools(docker=telling, uv=telling) | dict.fromkeys(names, "/foreign"))
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
        done = generate("-o", str(output), env=env | {"PWD": "/"})
        assert done.returncode == 0, done.stderr
        assert f"cd '{output}/budget-api'" in done.stdout.replace("cd 'tmp", "cd '/tmp")
        assert_kept(output)


class TestSummary:
    """What is printed at the end."""

    def test_it_shows_each_step_the_options_and_what_to_type_next(self, generate: Generate, tmp_path: Path) -> None:
        done = generate(NO_DOCKER, "telemetry=yes", env={"PATH": "/nowhere", "PWD": str(tmp_path)})
        shown = re.sub(r"\d\.\d s", "0.1 s", done.stdout).partition("\n\n")[2]
        assert (
            shown
            == """\
Budget API is in budget-api

  options  auth, ci=github, database=postgresql, example, python_version=3.13, telemetry
  updates  skipped: the template is not in a git repository
             `cruft update` won't work; `cruft link ADDRESS` makes it possible later
  files    ok (0.1 s)
  .env     ok (with fresh secrets)
  venv     skipped: BACKEND_SKIP_SETUP is set
           repeat: python3.13 -m venv venv
                   venv/bin/pip install --require-hashes -r requirements-dev.txt

Next:
  cd budget-api
  git init --initial-branch main
  git add --all
  git commit --message "Start from the template"
  make run

Without make: venv/bin/uvicorn api.main:app --reload
Then open http://localhost:8000/docs
"""
        )
        assert max(map(len, done.stdout.splitlines())) <= 100

    @pytest.mark.parametrize("kept_in_git", [False, True])
    def test_what_to_type_next_works(self, generate: Generate, tmp_path: Path, *, kept_in_git: bool) -> None:
        output = tmp_path / "it's my späce"
        folder = output / "budget-api"
        if kept_in_git:
            folder.mkdir(parents=True)
            git(folder, "init", "--quiet")
        done = generate("-f", "-o", str(output), env={"PWD": str(tmp_path)})
        lines = done.stdout.partition("\nNext:\n")[2].partition("\n\n")[0]
        assert ("git init" in lines) is not kept_in_git
        assert lines.endswith("\n  make run")
        names = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
        typed = run(
            ("bash", "-ec", lines.replace("make", "make --dry-run")), cwd=tmp_path, env=dict.fromkeys(names, "me")
        )
        assert typed.returncode == 0, typed.stderr
        assert git(folder, "status", "--porcelain") == ""
        assert git(folder, "ls-files", ".env", "README.md") == "README.md"


class TestSwitches:
    """What the environment asks for."""

    def test_a_wrong_time_limit_is_reported(self, generate: Generate, tools: Tools) -> None:
        done = generate(NO_VENV, env=tools() | {"BACKEND_TIMEOUT": "soon"})
        assert done.returncode == 0
        assert "BACKEND_TIMEOUT='soon' is no number of seconds above 0; 900 are used." in done.stdout

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

    def test_strict_accepts_that_updates_are_not_recorded(self, generate: Generate, tools: Tools) -> None:
        done = generate(NO_VENV, NO_DOCKER, env=tools() | {"BACKEND_STRICT": "1"})
        assert "  updates  skipped: " in done.stdout
        assert done.returncode == 0

    @pytest.mark.docker
    @pytest.mark.slow
    @needs_engine
    def test_strict_accepts_two_checks_that_are_ok(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(env=tools(docker=DOCKER, uv=UV) | {"BACKEND_STRICT": "1"})
        assert done.returncode == 0, done.stdout
        assert "  venv     ok (" in done.stdout
        assert "  docker   ok (" in done.stdout
        assert_kept(tmp_path)
