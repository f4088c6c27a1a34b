"""Fixtures that generate projects: `bake` renders the template quickly, `generate` runs the real command line."""

import hashlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest
from cookiecutter.environment import StrictEnvironment
from filelock import FileLock
from hypothesis import HealthCheck, settings
from jinja2 import Template
from pytest_cookies.plugin import Cookies

from postgresql import PostgreSQL

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
TEMPLATE_FOLDERS = (TEMPLATE.name, "hooks", "resource")
LOCK = TEMPLATE / "requirements-dev.txt"

sys.dont_write_bytecode = True  # the package in `UNFINISHED/` is imported where cookiecutter would find its bytecode

# `make test` would tell each `make` that a test starts to print the folders that it enters.
for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(variable, None)

# For an environment that is used often: what runs in it writes no bytecode.
COMPILED = {"UV_COMPILE_BYTECODE": "1"}

# How long an example takes says more about the machine than about the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


Answer = str | bool

# Every option, with all its choices.
OPTIONS: dict[str, tuple[Answer, ...]] = {
    "database": ("postgresql", "sqlite"),
    "example": (True, False),
    "auth": (True, False),
    "telemetry": (True, False),
    "ci": ("github", "gitlab", "none"),
    "kubernetes": (True, False),
}
EVERY_COMBINATION: list[dict[str, Answer]] = [
    dict(zip(OPTIONS, choices, strict=True)) for choices in itertools.product(*OPTIONS.values())
]
# Any two choices meet in one of these; the first takes everything, the second nothing.
PAIRWISE: list[dict[str, Answer]] = [
    dict(zip(OPTIONS, choices, strict=True))
    for choices in (
        ("postgresql", True, True, True, "github", True),
        ("sqlite", False, False, False, "none", False),
        ("postgresql", False, True, False, "gitlab", True),
        ("sqlite", True, False, True, "gitlab", False),
        ("postgresql", True, False, False, "none", False),
        ("sqlite", False, True, True, "none", False),
        ("sqlite", False, False, False, "github", False),
        ("sqlite", False, False, False, "none", True),
    )
]
EVERYTHING, NOTHING = PAIRWISE[:2]


def named(answers: Mapping[str, Answer]) -> str:
    """Name a combination by its choices."""
    return "-".join(str(choice) for choice in answers.values())


every_combination = pytest.mark.parametrize("answers", EVERY_COMBINATION, ids=named)


@dataclass(frozen=True)
class Project:
    """A generated backend."""

    path: Path

    def has(self, name: str) -> bool:
        """Whether the project holds a file or folder of that name."""
        return (self.path / name).exists()

    def text(self, name: str) -> str:
        """What stands in one of its files."""
        return (self.path / name).read_text(encoding="utf-8")

    def text_without_answers(self, name: str) -> str:
        """The same, up to the record of the answers."""
        return self.text(name).partition("[tool.cookiecutter-backend]")[0]

    def files(self) -> list[str]:
        """The names of all its files, sorted, with forward slashes."""
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())

    def run(self, *command: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside it; the output is text."""
        return run(command, cwd=self.path, env=env)


class Bake(Protocol):
    """Render the template with these answers, without venv and image; equal answers share one project."""

    def __call__(self, **answers: Answer) -> Project: ...


Generate = Callable[..., subprocess.CompletedProcess[str]]


def run(
    command: tuple[str | Path, ...], *, cwd: Path, env: Mapping[str, str] | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to which a text is typed; `env` is added to the environment, and empty variables are removed."""
    merged = {name: value for name, value in {**os.environ, **(env or {})}.items() if value}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=merged,
        input=typed,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=600,
    )


def load_hook(name: str, folder: str = "hooks") -> ModuleType:
    """Import a hook as it lies in the repository, unrendered."""
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def pre() -> ModuleType:
    """The hook that checks the answers."""
    return load_hook("pre_gen_project")


@pytest.fixture(scope="session", autouse=True)
def _quiet_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No slow check runs unless a test starts it, and no run leaves bytecode beside what it reads.

    Mypy reads the packages once for all environments: the cache has them by their content.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKEND_SKIP_SETUP", "1")
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setenv("MYPY_CACHE_DIR", str(tmp_path_factory.mktemp("mypy")))
        # What `make test` was given is not meant for the makes that tests run.
        for name in ("MAKEFLAGS", "args"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _default_signals() -> None:
    """Give child processes the default signals where they are ignored, as under `nohup` and in a script's background.

    A child inherits a signal that is ignored, but not one that is handled.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template without its history: nothing is recorded, wherever this repository was cloned from."""
    return copy_template(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def bake(cookies_session: Cookies, archive: Path) -> Bake:
    """Bake once for each set of answers; tests that write into a project copy it first."""
    baked: dict[tuple[tuple[str, Answer], ...], Project] = {}

    def bake(**answers: Answer) -> Project:
        key = tuple(sorted(answers.items()))
        if key not in baked:
            result = cookies_session.bake(extra_context=answers, template=str(archive))
            assert result.exit_code == 0, result.exception
            baked[key] = Project(result.project_path)
        return baked[key]

    return bake


def copy_template(folder: Path, changed: Mapping[str, str] | None = None) -> Path:
    """Copy what cookiecutter reads, with other contents of some files of the project."""
    for name in TEMPLATE_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    shutil.copy(ROOT / "cookiecutter.json", folder)
    for name, content in (changed or {}).items():
        (folder / TEMPLATE.name / name).write_text(content, encoding="utf-8", newline="\n")
    return folder


@cache
def jinja_template(path: Path) -> Template:
    """Read a file as cookiecutter does."""
    environment = StrictEnvironment(context={}, keep_trailing_newline=True)
    read: Template = environment.from_string(path.read_text(encoding="utf-8"))
    return read


def command_line(output: Path, *arguments: str, template: Path | str = ROOT) -> tuple[str | Path, ...]:
    """How the template is used by hand; a later option or answer wins over an earlier one."""
    return (sys.executable, "-m", "cookiecutter", "--no-input", "-o", output, template, *arguments)


@pytest.fixture(autouse=True)
def one_at_a_time(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Several processes share the tests; one at a time has the engine, or the ports that the READMEs name."""
    shares = request.node.get_closest_marker("docker") or request.node.get_closest_marker("ports")
    with FileLock(tmp_path_factory.getbasetemp().parent / "engine.lock") if shares else nullcontext():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of a user who has never used cookiecutter."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def generate(tmp_path: Path, home: Path, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Generate:
    """Run the real command line into `tmp_path`; options and `name=value` answers come as they are typed.

    Some files of the template may have other contents, and a shell's line may say how the command `"$@"` is run.
    """

    def generate(
        *arguments: str,
        env: Mapping[str, str] | None = None,
        template: Path | str = archive,
        changed: Mapping[str, str] | None = None,
        line: str = "",
    ) -> subprocess.CompletedProcess[str]:
        folder = copy_template(tmp_path_factory.mktemp("template"), changed) if changed else template
        command = command_line(tmp_path, *arguments, template=folder)
        if line:
            command = ("bash", "-o", "pipefail", "-c", line, "bash", *command)
        return run(command, cwd=tmp_path, env={"COOKIECUTTER_CONFIG": "", "HOME": str(home), **(env or {})})

    return generate


def installed(lock: Path, python: str = sys.executable) -> Path:
    """The programs of a virtual environment with exactly what is locked; it is made once for each lock and Python.

    Most begin with all that the template locks, compiled already, and lose what they don't lock.
    """
    content = lock.read_bytes()
    path = Path(sys.prefix) / f"project-{hashlib.sha256(content + python.encode()).hexdigest()[:16]}"
    with FileLock(f"{path}.lock"):
        if not (path / ".installed").exists():
            shutil.rmtree(path, ignore_errors=True)
            if python != sys.executable or content == LOCK.read_bytes():
                uv("venv", "--relocatable", "--python", python, path)
            else:
                left_out = shutil.ignore_patterns(".installed")
                shutil.copytree(installed(LOCK).parent, path, symlinks=True, copy_function=os.link, ignore=left_out)
            uv("pip", "sync", "--python", path, "--require-hashes", lock)
            (path / ".installed").touch()
    return path / tool("python").parent.name


def uv(*arguments: str | Path) -> None:
    """Run uv, which must succeed."""
    done = run((tool("uv"), *arguments, "--quiet"), cwd=ROOT, env=COMPILED)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def environment() -> Path:
    """The programs of an environment that serves every combination, with the packages of every option."""
    return installed(LOCK)


def tool(name: str) -> Path:
    """A command-line tool of the environment that runs the tests."""
    return Path(sys.executable).with_name(name)


def path_with_uv() -> str:
    """A PATH with uv: the current one, and the environment that runs the tests."""
    return f"{tool('uv').parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Project:
    """The default project, made by the command line with its virtual environment, by uv."""
    folder = tmp_path_factory.mktemp("finished")
    command = (tool("cookiecutter"), "--no-input", "-o", folder, archive, "check_docker=no")
    surroundings = {"BACKEND_SKIP_SETUP": "", "BACKEND_STRICT": "1", "PATH": path_with_uv(), **COMPILED}
    done = run(command, cwd=folder, env=surroundings)
    assert done.returncode == 0, done.stdout + done.stderr
    return Project(folder / "budget-api")


@pytest.fixture
def copy(finished: Project, tmp_path: Path) -> Project:
    """A copy to write into, which shares the virtual environment."""
    shutil.copytree(finished.path, tmp_path / "copy", ignore=shutil.ignore_patterns("venv"))
    (tmp_path / "copy" / "venv").symlink_to(finished.path / "venv")
    return Project(tmp_path / "copy")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """A server of our own."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: PostgreSQL) -> str:
    """The URL of an empty database."""
    return postgresql_server.create_database()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount file systems in memory, which only root may do."""
    folders: list[Path] = []

    def mounted(options: str) -> Path:
        folder = tmp_path / f"mounted-{len(folders)}"
        folder.mkdir()
        done = run(("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder), cwd=tmp_path)
        if done.returncode:
            pytest.skip(f"nothing can be mounted: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield mounted
    for folder in folders:
        run(("umount", "-l", folder), cwd=tmp_path)


def assert_gone(pid_file: Path) -> None:
    """A process that was hanging has ended."""
    pid = int(pid_file.read_text(encoding="utf-8"))
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail(f"process {pid} was left behind")
