"""Missing, broken and slow surroundings: the project stays, and each step says how it ended and how it is repeated."""

import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import ROOT, TEMPLATE, Answer, Bake, Generate, Project, assert_gone, command_line, run, tool
from engine import needs_engine
from repository import commit, git

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the broken tools are shell scripts")

DOCKER, GIT, UV = str(shutil.which("docker")), str(shutil.which("git")), str(tool("uv"))
CACHE = run((UV, "cache", "dir"), cwd=ROOT).stdout.strip()
NO_VENV, NO_DOCKER = "create_venv=no", "check_docker=no"
LOCK = "--require-hashes -r requirements-dev.txt"
REPEAT = {
    "docker": "\n           repeat: docker build -t budget-api .",
    "uv": "\n           repeat: uv venv --seed --allow-existing --python 3.13 venv"
    f"\n                   uv pip install --python venv {LOCK}",
    "python3.13": f"\n           repeat: python3.13 -m venv venv\n                   venv/bin/pip install {LOCK}",
}
# A tool that makes venv/ as uv does; the Python in it is a script.
FAKE_UV = """case "$1" in venv) /bin/mkdir -p venv/bin
    printf '#!/bin/sh\\n{python}\\n' > venv/bin/python; /bin/chmod +x venv/bin/python;; esac"""
HANG = 'echo $$ > "$TMPDIR/pid"; exec /bin/sleep 60'

needs_docker = pytest.mark.skipif(not shutil.which("docker"), reason="docker is not installed")
Env = Mapping[str, str]
Tools = Callable[..., dict[str, str]]
Check = Callable[..., str]


every_hang = pytest.mark.parametrize(
    ("name", "call", "doing"),
    [
        ("docker", "version", "asking the engine"),
        ("docker", "buildx*version", "building the image budget-api"),
        ("docker", "*buildx*build*", "building the image budget-api"),
        ("docker", "run*", "importing api.main in the image"),
        ("uv", "venv*", "making venv/ with Python 3.13"),
        ("uv", "pip*", "installing requirements-dev.txt with uv"),
        ("python3.13", "*venv*", "making venv/ with Python 3.13"),
    ],
)


@pytest.fixture
def tools(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Make an environment whose PATH holds these tools and no others; a text that is no path is a shell script."""

    def tools(**scripts: str) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("tools")
        for name, script in scripts.items():
            if Path(script).is_absolute():
                (folder / name).symlink_to(script)
            else:
                (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
                (folder / name).chmod(0o755)
        here = {"PATH": str(folder), "BACKEND_SKIP_SETUP": "", "UV_CACHE_DIR": CACHE, "TMPDIR": str(tmp_path)}
        # A home that is new has no plugins of Docker.
        here["DOCKER_CONFIG"] = os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
        return here | dict.fromkeys(("PIP_INDEX_URL", "PIP_CERT", "HTTPS_PROXY", "https_proxy"), "")

    return tools


@pytest.fixture
def check(generate: Generate, tools: Tools) -> Check:
    """Generate with one check and with these tools alone; return what the summary says of the check."""

    def check(step: str, *arguments: str, env: Env | None = None, changed: Env | None = None, **scripts: str) -> str:
        other = {"docker": NO_VENV, "venv": NO_DOCKER}[step]
        done = generate(other, *arguments, env={**tools(**scripts), **(env or {})}, changed=changed)
        assert done.returncode == 0, done.stderr
        assert_kept(Path(shlex.split(done.stdout.partition("\nNext:\n")[2])[1]).parent)
        return done.stdout.partition(f"\n  {step:<8} ")[2].partition("\n\nNext:")[0]

    return check


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

    def test_without_docker_and_podman_it_is_skipped(self, check: Check) -> None:
        assert check("docker") == f"skipped: docker is not on the PATH, and neither is podman{REPEAT['docker']}"

    def test_podman_is_used_where_there_is_no_docker(self, check: Check, tmp_path: Path) -> None:
        podman = 'echo "$*" >> "$TMPDIR/log"; case "$*" in *buildx*) exit 125;; run*) exit 1;; esac'
        repeat = REPEAT["docker"].replace("docker", "podman")
        assert check("docker", podman=podman) == f"failed: podman ended with exit code 1{repeat}"
        assert "\nbuild -t budget-api .\nrun --rm " in (tmp_path / "log").read_text(encoding="utf-8")

    def test_a_build_gets_what_leads_to_a_private_index(self, check: Check, tmp_path: Path) -> None:
        sources = {"https_proxy": "http://proxy:1", "PIP_INDEX_URL": "https://a:b@x/", "PIP_CERT": "/ca.pem"}
        result = check("docker", docker='echo "$*" >> "$TMPDIR/log"; case "$1" in run) exit 1;; esac', env=sources)
        secrets = ("PIP_INDEX_URL,env=PIP_INDEX_URL", "HTTPS_PROXY,env=https_proxy", "PIP_CERT,src=/ca.pem")
        options = " ".join(f"--secret id={secret}" for secret in secrets)
        assert f"\nbuildx build --load {options} -t budget-api .\n" in (tmp_path / "log").read_text(encoding="utf-8")
        assert result.endswith(f"repeat: docker build {options} -t budget-api .")
        mounted = re.findall(r"--mount=type=secret,id=(\w+)", (TEMPLATE / "Dockerfile").read_text(encoding="utf-8"))
        assert set(mounted) == {secret.partition(",")[0] for secret in secrets}

    @pytest.mark.slow
    @needs_docker
    def test_an_engine_that_is_dead_or_never_responds_is_skipped(self, check: Check) -> None:
        result = check("docker", docker=DOCKER, env={"DOCKER_HOST": "unix:///nowhere/none.sock"})
        assert result.startswith("skipped: the engine is not running")
        assert "none.sock" in result
        assert result.endswith(REPEAT["docker"])
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
            result = check("docker", "-o", "silent", docker=DOCKER, env={"DOCKER_HOST": host, "BACKEND_TIMEOUT": "1"})
        assert result.startswith("skipped: stopped after 1 s while asking the engine (BACKEND_TIMEOUT")

    @pytest.mark.docker
    @pytest.mark.slow
    @needs_engine
    def test_an_image_that_does_not_build_has_failed(self, check: Check) -> None:
        result = check("docker", docker=DOCKER, changed={"Dockerfile": "FROM scratch\nCOPY nowhere /\n"})
        assert result.startswith("failed: docker ended with exit code 1\n")
        assert "nowhere" in result
        assert result.endswith(REPEAT["docker"])

    @pytest.mark.parametrize(
        ("words", "result"),
        [
            ("write /var/lib/docker/tmp/x: no space left on device", "skipped: the disk is full"),
            ("ensurepip is not available.", "skipped: ensurepip is missing (apt: python3-venv)"),
            ("unknown flag: --secret", "skipped: BuildKit is missing (apt: docker-buildx)"),
            ("the --mount option requires BuildKit.", "skipped: BuildKit is missing (apt: docker-buildx)"),
            ("Cannot connect to the Docker daemon at tcp://x", "skipped: the engine is not running"),
            ("dial tcp: lookup registry-1.docker.io: i/o timeout", "skipped: the network cannot be reached"),
            ("failed to solve: process did not complete", "failed: docker ended with exit code 1"),
        ],
    )
    def test_a_known_cause_is_skipped_and_another_has_failed(self, check: Check, words: str, result: str) -> None:
        output = rf"noise\nnoise\n\033[31mone\033[0m\n----\ntwo\r\n\nthree\n{words}\n====\n"
        last = "".join(f"\n             {line}" for line in ("one", "two", "three", words))
        docker = f"""case "$*" in "buildx build "*) printf '{output}'; exit 1;; esac"""
        assert check("docker", docker=docker) == f"{result}{last}{REPEAT['docker']}"


class TestVenv:
    """An index, a Python, a disk or a lock that is no good."""

    @pytest.mark.parametrize(
        "broken", [{"UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}, {"UV_OFFLINE": "1"}], ids=str
    )
    def test_an_index_out_of_reach_is_skipped(self, check: Check, tmp_path: Path, broken: dict[str, str]) -> None:
        result = check("venv", uv=UV, env={"UV_CACHE_DIR": str(tmp_path / "cache"), **broken})
        assert result.startswith("skipped: the network cannot be reached\n")
        assert result.endswith(REPEAT["uv"])
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    @pytest.mark.parametrize("lock", ["", f"nowhere==1 --hash=sha256:{'0' * 64}\n"], ids=["empty", "unreachable"])
    def test_without_uv_pip_is_used_however_configured(self, check: Check, tmp_path: Path, lock: str) -> None:
        (tmp_path / "pip.conf").write_text("[install]\nuser = true\n", encoding="utf-8")
        index = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_FIND_LINKS": ""}
        env = {**index, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
        result = check("venv", env=env, changed={"requirements-dev.txt": lock, "api/main.py": ""})
        assert result.startswith("skipped: the network cannot be reached" if lock else "ok (")
        assert result.endswith(REPEAT["python3.13"] if lock else "s)")
        assert assert_kept(tmp_path).has("venv/.installed") is not bool(lock)

    @pytest.mark.parametrize(
        ("index", "shown"), [(BaseHTTPRequestHandler, "501"), (SimpleHTTPRequestHandler, "are unsatisfiable")]
    )
    def test_an_index_that_is_broken_has_failed(
        self, check: Check, tmp_path: Path, index: type[BaseHTTPRequestHandler], shown: str
    ) -> None:
        with ThreadingHTTPServer(("127.0.0.1", 0), index) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            env = {"UV_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple", "UV_HTTP_RETRIES": "0"}
            result = check("venv", uv=UV, env={"UV_CACHE_DIR": str(tmp_path / "cache"), **env})
            server.shutdown()
        assert re.match("failed: uv ended with exit code [12]\n", result)
        assert shown in result
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.slow
    @pytest.mark.usefixtures("finished")  # which fills the cache
    def test_nothing_is_fetched_or_compiled_twice(self, check: Check, tmp_path: Path) -> None:
        scripts = {"uv": f'echo "$*" >> "$TMPDIR/log"; exec {UV} "$@"', "python3": str(Path(sys.executable).resolve())}
        version = f"python_version=3.{sys.version_info.minor}"
        assert check("venv", version, env={"PYTHONDONTWRITEBYTECODE": ""}, **scripts).startswith("ok (")
        calls = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
        assert [line.split()[0] for line in calls] == ["venv", "pip"]
        assert [*(assert_kept(tmp_path).path / "api/__pycache__").glob("main.*.pyc")]

    @pytest.mark.slow
    def test_a_wrong_hash_has_failed(self, check: Check, tmp_path: Path) -> None:
        lock = (TEMPLATE / "requirements-dev.txt").read_text(encoding="utf-8")
        wrong = re.sub("sha256:...", "sha256:bad", lock)
        result = check("venv", uv=UV, changed={"requirements-dev.txt": wrong})
        assert result.startswith("failed: uv ended with exit code 1\n")
        assert "Hash mismatch for" in result
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.parametrize(("crash", "code"), [("exit 139", 139), ("kill -SEGV $$", -11)])
    def test_this_python_replaces_a_missing_one(self, check: Check, tmp_path: Path, crash: str, code: int) -> None:
        uv = f'echo "$*" >> "$TMPDIR/log"; case "$*" in *" 3.14 "*) exit 2;; esac; {crash}'
        assert check("venv", "python_version=3.14", uv=uv).startswith(f"failed: uv ended with exit code {code}\n")
        assert f" --python {sys.executable} venv" in (tmp_path / "log").read_text(encoding="utf-8")

    def test_a_full_disk_is_skipped(self, check: Check, mounted: Callable[[str], Path]) -> None:
        small = mounted("size=4m")
        assert check("venv", "-o", str(small), uv=UV).startswith("skipped: the disk is full\n")
        assert not assert_kept(small).has("venv")

    def test_an_application_that_cannot_be_imported_has_failed(self, check: Check, tmp_path: Path) -> None:
        result = check("venv", uv=FAKE_UV.format(python="echo RuntimeError: no; exit 1"))
        assert result.startswith("failed: python ended with exit code 1\n             RuntimeError: no\n")
        assert assert_kept(tmp_path).has("venv/.installed")

    @pytest.mark.slow
    def test_a_venv_that_exists_is_used_again(self, check: Check, copy: Project) -> None:
        project = Project(copy.path.rename(copy.path.with_name("budget-api")))
        git(project.path, "init", "--quiet")
        (project.path / ".git/info/exclude").write_text("venv\n", encoding="utf-8")
        commit(project.path, "mine")
        secrets = project.text(".env")
        foreign = {"GIT_DIR": "/nowhere", "VIRTUAL_ENV": "/nowhere", "PYTHONSAFEPATH": "1", "UV_PYTHON": "2.7"}
        assert check("venv", "-f", uv=UV, git=GIT, env=foreign).startswith("ok (")
        assert project.text(".env") == secrets
        assert (project.path / "venv").is_symlink()

    def test_a_venv_that_does_not_work_stays_as_it_is(self, check: Check, tmp_path: Path) -> None:
        (tmp_path / "budget-api/venv/bin").mkdir(parents=True)
        git(tmp_path / "budget-api", "init", "--quiet")
        (tmp_path / "budget-api/.git/info/exclude").write_text("venv\n", encoding="utf-8")
        result = check("venv", "-f", git=GIT)
        assert result.startswith("skipped: there is a venv/ whose Python does not run or is too old: remove venv/\n")
        assert assert_kept(tmp_path).has("venv/bin")


class TestFinish:
    """A project that is not finished says so, and how it is finished."""

    def test_without_hooks_it_says_how(self, generate: Generate, bake: Bake, tmp_path: Path) -> None:
        answers: dict[str, Answer] = {"auth": False, "project_name": 'It\'s "x"', "project_slug": "x"}
        output = tmp_path / """my "späce" isn't $HOME"""
        done = generate("-o", str(output), "--accept-hooks=no", *(f"{name}={text}" for name, text in answers.items()))
        assert done.returncode == 0, done.stderr
        project = Project(output / "x")
        assert "# option: auth" in project.text("pyproject.toml")
        command = re.search("```bash\n(.+)\n```", project.text("UNFINISHED/README.md"))
        assert command
        shutil.copytree(project.path, tmp_path / "x")
        path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        fresh = bake(**answers)
        for each, here in ((project, project.path), (Project(tmp_path / "x"), tmp_path)):
            typed = command[1].replace("UNFINISHED", os.path.relpath(each.path / "UNFINISHED", here))
            done = run(("bash", "-c", typed), cwd=here, env=path)
            assert done.returncode == 0, done.stderr
            assert each.files() == fresh.files()
            assert [name for name in fresh.files() if each.text(name) != fresh.text(name)] == [".env"]
            assert stat.S_IMODE((each.path / ".env").stat().st_mode) == 0o600

    def test_a_step_that_fails_leaves_what_finishes_the_project(self, generate: Generate, tmp_path: Path) -> None:
        main = (TEMPLATE / "api/main.py").read_text(encoding="utf-8")
        done = generate(NO_VENV, NO_DOCKER, changed={"api/main.py": f"{main}# end: auth\n"})
        assert done.returncode == 0
        assert re.search("  files    failed: .*'# end: auth' ends no block", done.stdout)
        assert "\n           repeat: python UNFINISHED/finish.py\n" in done.stdout
        project = Project(tmp_path / "budget-api")
        (project.path / "api/main.py").write_text(main, encoding="utf-8")
        assert "  files    ok (" in project.run(sys.executable, "UNFINISHED/finish.py").stdout
        assert_kept(tmp_path)

    @pytest.mark.parametrize("content", ["import nowhere\n", "def\n", "main = None\n"])
    def test_a_broken_package_does_not_lose_the_project(self, generate: Generate, tmp_path: Path, content: str) -> None:
        done = generate(changed={"UNFINISHED/setup/finish.py": content}, env={"BACKEND_STRICT": "1"})
        assert done.returncode == 0
        assert "The project is not finished: " in done.stdout
        assert f"To finish it: cd {tmp_path}/budget-api && python UNFINISHED/finish.py\n" in done.stdout
        assert Project(tmp_path / "budget-api").has("UNFINISHED/answers.json")

    def test_a_disk_too_full_for_the_settings_is_skipped(
        self, generate: Generate, mounted: Callable[[str], Path]
    ) -> None:
        small = mounted("size=8m")
        done = generate("-o", str(small), NO_VENV, NO_DOCKER, changed={".env.example": "# long\n" * 700_000})
        assert done.returncode == 0, done.stderr
        assert "  .env     skipped: the disk is full\n" in done.stdout
        assert "\n           repeat: cp .env.example .env\n" in done.stdout
        assert Project(small / "budget-api").has("api/main.py")
        assert not Project(small / "budget-api").has(".env")

    def test_every_variable_without_a_value_gets_a_secret_of_its_own(self, generate: Generate, tmp_path: Path) -> None:
        example = "# DATABASE_URL=\nSECRET_KEY=\nLOG_LEVEL=info\nOTHER_KEY=\n"
        assert generate(changed={".env.example": example}).returncode == 0
        text = Project(tmp_path / "budget-api").text(".env")
        assert re.sub(r"(?m)=.{43}$", "=", text) == example
        assert len(set(re.findall(r"(?m)=(.{43})$", text))) == 2


class TestEnd:
    """The time limit, Ctrl-C, and the end of the terminal: they end every command, and the project stays finished."""

    @every_hang
    def test_a_step_ends_with_its_time(self, check: Check, tmp_path: Path, name: str, call: str, doing: str) -> None:
        script = f'case "$*" in {call}) {HANG};; esac'
        result = check("docker" if name == "docker" else "venv", env={"BACKEND_TIMEOUT": "1"}, **{name: script})
        assert result == f"skipped: stopped after 1 s while {doing} (BACKEND_TIMEOUT sets the limit){REPEAT[name]}"
        assert_gone(tmp_path / "pid")
        assert not assert_kept(tmp_path).has("venv")

    @every_hang
    def test_an_interrupt_ends_it(self, check: Check, tmp_path: Path, name: str, call: str, doing: str) -> None:
        script = f'case "$*" in {call}) kill -INT $PPID; {HANG};; esac'
        result = check("docker" if name == "docker" else "venv", **{name: script})
        assert result == f"skipped: interrupted while {doing}{REPEAT[name]}"
        assert_gone(tmp_path / "pid")
        assert not assert_kept(tmp_path).has("venv")

    @pytest.mark.parametrize("name", ["TERM", "HUP"])
    def test_other_signals_end_it_with_all_that_it_started(self, check: Check, tmp_path: Path, name: str) -> None:
        docker = f"""kill -{name} $PPID; trap "" TERM; /bin/sh -c '{HANG}'; echo > "$TMPDIR/late" """
        assert check("docker", docker=docker).startswith("skipped: interrupted while asking the engine\n")
        assert_gone(tmp_path / "pid")
        assert not (tmp_path / "late").exists()

    def test_ctrl_c_ends_both_checks(self, archive: Path, tools: Tools, tmp_path: Path, home: Path) -> None:
        env = tools(docker=HANG, uv=FAKE_UV.format(python=HANG.replace("pid", "pid-python")))
        pids = [tmp_path / "pid", tmp_path / "pid-python"]
        with subprocess.Popen(
            [str(part) for part in command_line(tmp_path, template=archive)],
            env=os.environ | env | {"HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout
            while not all(pid.exists() and pid.stat().st_size for pid in pids):
                assert process.poll() is None
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)
            output = process.stdout.read()
        doing = re.findall("skipped: interrupted while (.+)", output)
        assert doing == ["importing api.main in venv/", "asking the engine"]
        for pid in pids:
            assert_gone(pid)
        assert assert_kept(tmp_path).has("venv/.installed")

    def test_a_signal_that_is_ignored_stays_ignored(self, generate: Generate, tools: Tools) -> None:
        env = tools(docker="kill -INT $PPID; /bin/sleep 0.5", bash=str(shutil.which("bash")))
        assert "\n  docker   ok (" in generate(NO_VENV, env=env, line='trap "" INT; exec "$@"').stdout

    @pytest.mark.slow
    def test_the_tests_pass_where_signals_are_ignored(self) -> None:
        tests = f"{Path(__file__)}::TestEnd::test_other_signals_end_it_with_all_that_it_started"
        pytest_of_its_own = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
        done = run(("/bin/sh", "-c", 'trap "" INT HUP TERM; exec "$@"', "sh", *pytest_of_its_own), cwd=ROOT)
        assert "2 passed" in done.stdout, done.stdout


class TestConsole:
    """Streams, encodings, folders and environments."""

    @pytest.mark.parametrize(
        "console", [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}], ids=str
    )
    def test_a_console_may_be_limited(self, generate: Generate, tmp_path: Path, console: dict[str, str]) -> None:
        done = generate("project_name=日本 🍪", "project_slug=budget-api", env=console)
        assert done.returncode == 0, done.stderr
        assert "?? ? is in " in done.stdout
        assert_kept(tmp_path)
        assert generate("project_name=日\x1b", "project_slug=other", env=console).returncode == 1

    @pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-", "| head -n 1"])
    def test_a_closed_stream_loses_nothing(self, generate: Generate, tmp_path: Path, closed: str) -> None:
        done = generate(line=f'"$@" {closed}')
        assert done.returncode == 0, done.stderr
        assert_kept(tmp_path)

    @pytest.mark.parametrize("safe", ["", "PYTHONSAFEPATH", "embeddable"])
    def test_the_library_alone_is_imported(self, archive: Path, tmp_path: Path, home: Path, safe: str) -> None:
        for name in ("json", "re", "__future__", "subprocess", "secrets", "venv", "setup"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
        env, start = {"HOME": str(home), "TMPDIR": str(tmp_path)}, [str(tool("cookiecutter"))]
        if safe:  # the first entry of the path is the library, not the folder of the script
            python = Path(shutil.copy(Path(sys.executable).resolve(), tmp_path / "home/python"))
            library = sysconfig.get_path("stdlib")
            entries = (library, f"{library}/lib-dynload", sysconfig.get_path("purelib"))
            env |= {"PYTHONSAFEPATH": "1", "PYTHONHOME": "/nowhere", "PYTHONPATH": os.pathsep.join(entries)}
            if safe == "embeddable":  # as for Windows, where a file lists the whole path
                python.with_name("python._pth").write_text("\n".join(entries), encoding="utf-8")
            start = [str(python), "-m", "cookiecutter"]
        for slug, status in {"budget-api": 0, "../x": 1}.items():
            typed = command_line(tmp_path, f"project_slug={slug}", template=archive)[3:]
            done = run((*start, *typed), cwd=tmp_path, env=env)
            assert done.returncode == status, done.stderr
            assert "imported" not in done.stdout + done.stderr
            assert ("project_slug = '../x'" in done.stderr) is bool(status)
        assert_kept(tmp_path)

    def test_tools_see_no_other_project(self, check: Check, tmp_path: Path) -> None:
        names = ("GIT_DIR", "GIT_WORK_TREE", "VIRTUAL_ENV", "PIP_TARGET", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")
        script = 'exec /usr/bin/env >> "$TMPDIR/seen"'
        for step, name in (("docker", "docker"), ("venv", "uv")):
            check(step, "-o", name, env=dict.fromkeys(names, "/foreign"), **{name: script})
        seen = (tmp_path / "seen").read_text(encoding="utf-8")
        assert "PATH=" in seen
        assert "/foreign" not in seen

    def test_a_home_that_is_missing_does_no_harm(self, check: Check, tmp_path: Path) -> None:
        config = tmp_path / "config.yaml"
        config.write_text(f"replay_dir: {tmp_path}/replay\ncookiecutters_dir: {tmp_path}/templates\n", encoding="utf-8")
        env = {"HOME": "/nowhere", "COOKIECUTTER_CONFIG": str(config), "BACKEND_TIMEOUT": "0.1"}
        assert check("docker", docker=HANG, env=env).startswith("skipped: stopped after 0.1 s")


class TestSummary:
    """What is printed at the end."""

    SHOWN = f"""\
Budget API is in budget-api

  options  auth, ci=github, database=postgresql, example, python_version=3.13, telemetry
  updates  skipped: the template is in no git repository, or git is missing
             `cruft update` won't work; `cruft link ADDRESS` makes it possible later
  files    ok (0.1 s)
  .env     ok (with fresh secrets)
  venv     skipped: BACKEND_SKIP_SETUP is set{REPEAT["python3.13"]}
  docker   skipped: BACKEND_SKIP_SETUP is set{REPEAT["docker"]}

Next:
  cd budget-api
  git init --initial-branch main
  git add --all
  git commit --message "Start from the template"
  make run

Without make: venv/bin/uvicorn api.main:app --reload
Then open http://localhost:8000/docs
"""

    def test_it_shows_each_step(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate("telemetry=yes", env=tools() | {"BACKEND_SKIP_SETUP": "yes", "PWD": str(tmp_path)})
        assert re.sub(r"\d\.\d s", "0.1 s", done.stdout).partition("\n\n")[2] == self.SHOWN
        assert max(map(len, self.SHOWN.splitlines())) <= 100

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
        names = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
        typed = ("bash", "-ec", lines.replace("  make run", "  make --dry-run run"))
        done = run(typed, cwd=tmp_path, env=dict.fromkeys(names, "me"))
        assert done.returncode == 0, done.stderr
        assert "uvicorn api.main:app" in done.stdout
        assert git(folder, "status", "--porcelain") == ""
        assert git(folder, "ls-files", ".env", "README.md") == "README.md"


class TestStrict:
    """BACKEND_STRICT, by which a step that is not ok fails."""

    @pytest.mark.parametrize("keep", [(), ("--keep-project-on-failure",)], ids=str)
    @pytest.mark.parametrize("skip", ["", "1"])
    def test_a_check_that_is_skipped_fails(
        self, generate: Generate, tools: Tools, tmp_path: Path, skip: str, keep: tuple[str, ...]
    ) -> None:
        done = generate(*keep, NO_VENV, env=tools() | {"BACKEND_STRICT": "yes", "BACKEND_SKIP_SETUP": skip})
        assert done.returncode == 1
        assert "--keep-project-on-failure" in done.stdout
        assert (tmp_path / "budget-api/.env").exists() is bool(keep)

    def test_updates_that_are_not_recorded_do_not_count(self, generate: Generate, tools: Tools) -> None:
        done = generate(NO_VENV, NO_DOCKER, env=tools() | {"BACKEND_STRICT": "1"})
        assert "  updates  skipped: " in done.stdout
        assert done.returncode == 0

    @pytest.mark.docker
    @pytest.mark.slow
    @needs_engine
    def test_checks_that_are_ok_pass(self, generate: Generate, tools: Tools, tmp_path: Path) -> None:
        done = generate(env=tools(docker=DOCKER, uv=UV) | {"BACKEND_STRICT": "1"})
        assert done.returncode == 0, done.stdout
        assert re.search(r"\n  venv     ok \(.+\)\n  docker   ok \(.+\)\n\nNext:", done.stdout)
        assert_kept(tmp_path)
