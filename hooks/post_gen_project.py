"""Record the template, take away what was declined, write `.env`, prove that all works, and say what to type next."""

import sys

if __name__ == "__main__":
    # The first entry is the shared temporary folder, where anybody may have left a `json.py`.
    sys.path.pop(0)

import errno
import functools
import io
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

RAW = r"""{{ cookiecutter | tojson }}"""  # {% raw %}

# What leaves with an option that is declined. Every condition that a marker may name has a row here.
OPTION_FILES: dict[str, tuple[str, ...]] = {
    "auth": (
        "api/dependencies/auth.py",
        "api/dependencies/users.py",
        "api/models/users.py",
        "api/routers/auth.py",
        "api/routers/users.py",
        "api/schemas/auth.py",
        "api/schemas/users.py",
        "api/services/auth.py",
        "api/services/security.py",
        "api/services/users.py",
        "tests/routers/test_auth.py",
        "tests/routers/test_users.py",
        "tests/services/test_auth.py",
        "tests/services/test_security.py",
    ),
    "auth|database=postgresql": (),
    "auth|example": ("migrations/versions/0001_initial.py",),
    "example": (
        "api/dependencies/budgets.py",
        "api/dependencies/transactions.py",
        "api/models/budgets.py",
        "api/models/transactions.py",
        "api/routers/budgets.py",
        "api/routers/transactions.py",
        "api/schemas/budgets.py",
        "api/schemas/transactions.py",
        "api/services/budgets.py",
        "api/services/transactions.py",
        "tests/routers/conftest.py",
        "tests/routers/test_budgets.py",
        "tests/routers/test_transactions.py",
        "tests/schemas/test_budgets.py",
        "tests/services/test_budgets.py",
        "tests/services/test_transactions.py",
    ),
    "telemetry": (
        "api/dependencies/telemetry.py",
        "tests/collector.py",
        "tests/test_telemetry.py",
    ),
    "database=postgresql|telemetry": (),
    "database=postgresql": ("deploy/base/migration.yaml", "deploy/base/replicas.yaml"),
    "database=sqlite": ("deploy/base/volume.yaml",),
    "ci=github": (".github/dependabot.yml", ".github/workflows/ci.yml"),
    "ci=gitlab": (".gitlab-ci.yml",),
    "kubernetes": ("deploy",),
}

# What `pyproject.toml` keeps of the answers.
RECORD = "cookiecutter-backend"
ORIGIN = f"[tool.{RECORD}]"
CHOICES = ("python_version", "database", "ci")
SWITCHES = ("example", "auth", "telemetry", "kubernetes")

ON = ("1", "true", "t", "yes", "y", "on")

VENV = "venv"
STAMP = ".installed"
LOCKS = ("requirements.txt", "requirements-dev.txt")
CACHES = frozenset(("__pycache__", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache"))
UNFINISHED = "UNFINISHED"
NOT_OURS = (".git", ".venv", VENV, UNFINISHED)
CRUFT = ".cruft.json"
PLACES = ("_output_dir", "_repo_dir", "_checkout")
READ_BY_COOKIECUTTER = ("cookiecutter.json", "hooks", "{{cookiecutter.project_slug}}")

IMPORT = "import api.main"
MINORS = range(11, 21)
FOREIGN_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "__PYVENV_LAUNCHER__"),
    *("PIP_PREFIX", "PIP_TARGET", "PIP_USER", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON"),
)
OUR_VARIABLES = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PYTHONIOENCODING": "utf-8"}

PROOF_SECONDS = 900.0
PROBE_SECONDS = 10.0
HEARTBEAT_SECONDS = 15.0
GRACE_SECONDS = 3.0
TICK_SECONDS = 0.1

# How a command ends that meets SIGHUP, SIGINT or SIGTERM: Ctrl-C reaches one that has just begun, before its own session.
INTERRUPTED = (-1, -2, -15)

TELLING_LINES = 4
LONGEST_LINE = 300
NOISE = re.compile(r"(>>> )?\d+ \||sha256:\w+$|Ignoring ")

# Words in a command's output which tell that it could not do its work, whatever the work was.
OBSTACLES = {
    r"[Nn]o space left on device|os error 28|not enough space on the disk|Disk quota exceeded": "the disk is full",
    r"ensurepip": "ensurepip is missing or broken (Debian and Ubuntu: apt install python3-venv)",
    r"Read-only file system": "a folder that is needed can only be read",
    r"NewConnectionError|Failed to resolve|[Tt]emporary failure in name resolution|tcp connect error|dns error|"
    r"network connectivity is disabled|network was disabled": "the package index cannot be reached",
    r"requires BuildKit|buildx component is missing": "BuildKit is missing (Debian and Ubuntu: apt install docker-buildx)",
    r"dial tcp|TLS handshake timeout": "no connection could be made",
}

Answers = Mapping[str, object]
Say = Callable[[str], None]


def is_on(value: object) -> bool:
    """Read a boolean answer, or a switch of the environment."""
    return str(value).lower() in ON


class Marker(NamedTuple):
    """How the markers of options look in one kind of file."""

    begins: re.Pattern[str]
    ends: re.Pattern[str]
    line: re.Pattern[str]


def marker(opening: str, closing: str) -> Marker:
    """Write the three markers between the two ends of a comment."""
    condition = rf"(?P<condition>[a-z0-9_.=|]+){closing}\s*"
    return Marker(
        begins=re.compile(rf"\s*{opening} option: {condition}"),
        ends=re.compile(rf"\s*{opening} end: {condition}"),
        line=re.compile(rf"(?P<kept>.*\S)\s*{opening} option: {condition}"),
    )


HASH_MARKER = marker("#", "")
MARKDOWN_MARKER = marker("<!--", " -->")


def holds(condition: str, answers: Answers) -> bool:
    """Whether an option was switched on, or a choice made; of several between bars, one is enough."""
    first, bar, others = condition.partition("|")
    name, equals, choice = first.partition("=")
    return (answers[name] == choice if equals else is_on(answers[name])) or (bool(bar) and holds(others, answers))


def prune_text(text: str, answers: Answers, syntax: Marker = HASH_MARKER) -> str:
    """Remove declined lines and blocks, and the markers of those that stay; all else stays byte for byte."""
    kept: list[str] = []
    blocks: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        begins, ends, marked = (pattern.fullmatch(line) for pattern in syntax)
        named = begins or ends or marked
        condition = named["condition"] if named else ""
        if named and condition not in OPTION_FILES:
            message = f"line {number}: there is no option {condition!r}"
            raise ValueError(message)
        if begins:
            blocks.append(condition)
        elif ends:
            if not blocks or blocks.pop() != condition:
                message = f"line {number}: {line.strip()!r} ends no block"
                raise ValueError(message)
        elif all(holds(each, answers) for each in [*blocks, condition] if each):
            kept.append(marked["kept"] if marked else line)
    if blocks:
        message = f"the block of option {blocks[-1]!r} has no end"
        raise ValueError(message)
    return "\n".join(kept)


def declined_files(answers: Answers) -> list[str]:
    """Name the files of every declined option."""
    return [name for option, names in OPTION_FILES.items() if not holds(option, answers) for name in names]


def is_among(path: Path, names: Sequence[str]) -> bool:
    """Whether a path has one of these names, or is in a folder that has."""
    return f"{path.as_posix()}/".startswith(tuple(f"{name}/" for name in names))


def told_to_skip(project: Path) -> bool:
    """Whether cookiecutter left alone what was there before; see `keep_aside` in the hook before."""
    return (project / UNFINISHED / "yours").is_dir() and not (project / UNFINISHED / "README.md").stat().st_size


def never_ours(yours: Path, answers: Answers) -> list[str]:
    """Name what belongs to options that are declined, and were before: what was there is the user's."""
    if (yours / UNFINISHED).is_dir():
        return []  # every option was still in it
    before: Answers = dict.fromkeys((*CHOICES, *SWITCHES), "")
    with suppress(OSError, ValueError, KeyError):
        pyproject = tomllib.loads((yours / "pyproject.toml").read_text(encoding="utf-8"))
        before = {**before, **pyproject["tool"][RECORD]}
    declined_before = declined_files(before)
    return [name for name in declined_files(answers) if name in declined_before]


def put_back(project: Path, answers: Answers) -> int:
    """Give back what cookiecutter should not have written over, and tell when it began to write.

    That is all where it was told to skip what is there, and what never came from the template. The time is in
    nanoseconds since the epoch, and 0 for a new project. The hook before has kept the files aside, and has left an
    empty file, which cookiecutter skips or fills.
    """
    yours = project / UNFINISHED / "yours"
    if not yours.is_dir():
        return 0
    began = yours.stat().st_mtime_ns
    everything, some = told_to_skip(project), never_ours(yours, answers)
    for path in yours.rglob("*"):
        name = path.relative_to(yours)
        if path.is_file() and (everything or is_among(name, some)):
            shutil.copy2(path, project / name)
    shutil.rmtree(yours)
    return began


def project_files(project: Path, began: int = 0) -> Iterator[Path]:
    """Yield the files that cookiecutter has written; a link is none, since it may lead out of the project."""
    for folder, names, files in os.walk(project):
        names[:] = sorted(name for name in names if name not in NOT_OURS)
        for name in sorted(files):
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_mtime_ns >= began:
                yield path


def remove_declined(project: Path, answers: Answers, began: int = 0) -> list[Path]:
    """Remove files of declined options, what tools had left in a checkout of the template, and emptied folders.

    What stays of what cookiecutter has written is given back.
    """
    kept: list[Path] = []
    declined = declined_files(answers)
    for path in list(project_files(project, began)):
        name = path.relative_to(project)
        if is_among(name, declined) or not CACHES.isdisjoint(name.parts):
            path.unlink(missing_ok=True)
            while (path := path.parent) != project and not any(path.iterdir()):
                path.rmdir()
        else:
            kept.append(path)
    return kept


def prune_file(path: Path, answers: Answers) -> None:
    """Apply the answers to a file's markers; a file without any is not written."""
    content = path.read_bytes()
    if b" option: " not in content and b" end: " not in content:
        return
    try:
        pruned = prune_text(content.decode(), answers, MARKDOWN_MARKER if path.suffix == ".md" else HASH_MARKER)
    except ValueError as error:
        message = f"{path}: {error}"
        raise ValueError(message) from error
    if pruned.encode() != content:
        path.write_bytes(pruned.encode())


class Pin(NamedTuple):
    """A locked package: its lines in the lock, and who asks for it."""

    name: str
    lines: str
    parents: list[str]


PIN = re.compile(
    r"(?P<lines>(?P<name>[a-z0-9][a-z0-9.-]*)==.*\n(?:    --hash=.*\n)*)    # via(?P<parents> .+\n|\n(?:    #   .+\n)+)"
)
DIRECT = re.compile(r"\S+ (?P<source>\(pyproject\.toml(:(?P<group>.+))?\))")


def required_name(requirement: str) -> str:
    """Name the package that a requirement asks for, as locks do."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]).lower()


def direct_requirements(pyproject: Mapping[str, Any]) -> dict[str | None, set[str]]:
    """Name what the project asks for itself, and what each of its groups does."""
    groups = {None: pyproject["project"]["dependencies"], **pyproject.get("dependency-groups", {})}
    return {
        group: {required_name(each) for each in requirements if isinstance(each, str)}
        for group, requirements in groups.items()
    }


def parse_lock(lock: str) -> tuple[str, list[Pin]]:
    """Split a lock into its heading and its packages."""
    matches = list(PIN.finditer(lock))
    heading = "".join(line for line in lock.splitlines(keepends=True) if line.startswith("#"))
    if heading + "".join(match[0] for match in matches) != lock:
        message = "the lock is not written as `uv pip compile --generate-hashes` does it"
        raise ValueError(message)
    return heading, [
        Pin(match["name"], match["lines"], [parent.strip(" #") for parent in match["parents"].strip().split("\n")])
        for match in matches
    ]


def with_own_parents(
    pin: Pin, project: str, direct: Mapping[str | None, Container[str]], constraints: Container[str]
) -> Pin:
    """Let a package be asked for by what `pyproject.toml` says now, under the name that the project has now."""
    parents: list[str] = []
    for parent in pin.parents:
        if own := DIRECT.fullmatch(parent):
            if pin.name in direct.get(own["group"], ()):
                parents.append(f"{project} {own['source']}")
        elif not parent.startswith("-c ") or pin.name in constraints:
            parents.append(parent)
    return pin._replace(parents=parents)


def reachable(pins: Sequence[Pin]) -> set[str]:
    """Name the packages that somebody who stays still asks for."""
    found: set[str] = set()
    while new := {
        pin.name
        for pin in pins
        if pin.name not in found and any(parent in found or DIRECT.fullmatch(parent) for parent in pin.parents)
    }:
        found |= new
    return found


def prune_lock(lock: str, pyproject: Mapping[str, Any], constraints: Container[str] = ()) -> str:
    """Keep what `pyproject.toml` still leads to, written as `uv pip compile` would write it.

    The comments of the lock tell who asks for a package. They can't tell for which extra, or on which system.
    """
    heading, all_pins = parse_lock(lock)
    project, direct = pyproject["project"]["name"], direct_requirements(pyproject)
    pins = [with_own_parents(pin, project, direct, constraints) for pin in all_pins]
    packages = reachable(pins)
    pruned = heading
    for pin in pins:
        if pin.name in packages:
            files = sorted(parent for parent in pin.parents if " " in parent)
            parents = [*files, *sorted(packages.intersection(pin.parents))]
            via = f" {parents[0]}\n" if len(parents) == 1 else "\n" + "".join(f"    #   {each}\n" for each in parents)
            pruned += f"{pin.lines}    # via{via}"
    return pruned


def prune_locks(project: Path) -> None:
    """Bring the locks in line with `pyproject.toml`; the second is constrained by the first."""
    pyproject = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    constraints: set[str] = set()
    for name in LOCKS:
        path = project / name
        lock = path.read_text(encoding="utf-8")
        pruned = prune_lock(lock, pyproject, constraints)
        constraints = {pin.name for pin in parse_lock(pruned)[1]}
        if pruned != lock:
            path.write_text(pruned, encoding="utf-8", newline="\n")


def origin_of(answers: Answers, project: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """Name the template so that it is found again, from wherever, and its commit: as cruft knows them, where it does.

    Cookiecutter tells the folder as it was typed; a template that is used where it lies gets its whole path.
    """
    if "_commit" in answers:
        return str(answers["_template"]), str(answers["_commit"])
    with suppress(OSError, ValueError, KeyError):
        recorded = json.loads((project / CRUFT).read_text(encoding="ascii"))
        return recorded["template"], recorded["commit"]
    template = str(answers["_template"])
    folder = Path(environ.get("PWD", "."), template).absolute()
    if not (folder / "cookiecutter.json").is_file():
        return template, commit_of(Path(str(answers.get("_repo_dir", ""))))
    return os.path.normpath(folder), commit_of(folder)


def commit_of(checkout: Path) -> str:
    """Name the commit that is checked out; nothing where there is none, or no git."""
    with suppress(SkippedError):
        return ask_git(checkout, "rev-parse", "--verify", "HEAD")
    return ""


def origin_table(answers: Answers, template: str, commit: str) -> str:
    """Write where a project comes from, and what it has."""
    values = {
        "template": json.dumps(template, ensure_ascii=False),
        "commit": json.dumps(commit),
        **{name: json.dumps(answers[name]) for name in CHOICES},
        **{name: json.dumps(is_on(answers[name])) for name in SWITCHES},
    }
    return "".join(f"{line}\n" for line in ["", ORIGIN, *(f"{name} = {value}" for name, value in values.items())])


def write_origin(project: Path, answers: Answers, environ: Mapping[str, str]) -> None:
    """Tell `make resource` where its template is, and what the project has."""
    path = project / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    if ORIGIN not in text:
        table = origin_table(answers, *origin_of(answers, project, environ))
        path.write_text(text + table, encoding="utf-8", newline="\n")


def prune(project: Path, answers: Answers) -> None:
    """Take away everything that was declined from what cookiecutter has written; all else is the user's."""
    began = put_back(project, answers)
    written = remove_declined(project, answers, began)
    for path in written:
        prune_file(path, answers)
    if all(project / name in written for name in ("pyproject.toml", *LOCKS)):
        prune_locks(project)
    if project / "pyproject.toml" in written:
        write_origin(project, answers, os.environ)
    for name in ("README.md", "answers.json"):
        (project / UNFINISHED / name).unlink(missing_ok=True)
    with suppress(OSError):  # there may be none, or more in it
        (project / UNFINISHED).rmdir()


def with_secrets(example: str) -> str:
    """Give every setting that has no value in the example one that cannot be guessed."""
    return re.sub(r"^[A-Z][A-Z0-9_]*=$", lambda name: name[0] + secrets.token_urlsafe(32), example, flags=re.MULTILINE)


def write_env(project: Path) -> str:
    """Write `.env` from its example for its owner alone; one that is there stays."""
    path = project / ".env"
    example = (project / ".env.example").read_text(encoding="utf-8")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return "ok (yours stays as it was)"
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(with_secrets(example))
    except OSError:
        path.unlink()
        raise
    return "ok (with fresh secrets)"


class SkippedError(Exception):
    """A proof could not run."""


class FailedError(Exception):
    """A proof ran and said no."""


def ask_git(checkout: Path, *question: str) -> str:
    """Ask about a checkout, which stays as it is; what can't be answered is empty."""
    command = ("git", "--no-optional-locks", "-C", str(checkout), *question)
    try:
        done = subprocess.run(
            command,
            env=child_environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"git does not answer: {error}"
        raise SkippedError(message) from error
    return "" if done.returncode else done.stdout.strip()


def address_of(checkout: Path, template: str) -> str:
    """Find where others get the checkout, without credentials. A path of this machine is no address, unless typed as one."""
    # As it was configured: `git remote get-url` applies `insteadOf`, where people keep mirrors and tokens.
    address = re.sub(r"^(https?://)[^/]*@", r"\1", ask_git(checkout, "config", "--get", "remote.origin.url"))
    is_path = not re.match(r"[\w+.-]+://|[^/\\:]{2,}:", address)
    if is_path or (address.startswith("file://") and "://" not in template):
        message = "the template has no address where others find it"
        raise SkippedError(message)
    return address


def obstacle_to_updates(checkout: Path) -> str | None:
    """Tell why others would not find the very template that was rendered, if they would not."""
    if not checkout.is_absolute():
        return "the template was named by a relative path"
    if not ask_git(checkout, "ls-files", "cookiecutter.json"):
        return "the template is not kept in git"
    if ask_git(checkout, "status", "--porcelain", "--", *READ_BY_COOKIECUTTER):
        return "the template has changes that are not committed"
    if not ask_git(checkout, "for-each-ref", "--count=1", "--contains=HEAD", "refs/remotes", "refs/tags"):
        return "the template's commit was not pushed"
    return None


def record_of(answers: Answers) -> dict[str, object]:
    """Tell what cruft needs to update the project: where the template is, which version of it, and the answers."""
    template, checkout = str(answers.get("_template")), Path(str(answers.get("_repo_dir", "")))
    if obstacle := obstacle_to_updates(checkout):
        raise SkippedError(obstacle)
    address, commit = address_of(checkout, template), ask_git(checkout, "rev-parse", "HEAD")
    context = {name: value for name, value in answers.items() if name not in PLACES}
    return {
        "template": address,
        "commit": commit,
        "checkout": answers.get("_checkout"),
        "context": {"cookiecutter": {**context, "_template": address, "_commit": commit}},
        "directory": ask_git(checkout, "rev-parse", "--show-prefix").rstrip("/") or None,
    }


def record(answers: Answers, project: Path) -> str:
    """Write what `cruft create` would have written, in ASCII, since cruft reads it in the encoding of the locale."""
    path = project / CRUFT
    if "_commit" in answers:
        return "ok (by cruft)"
    if path.exists() and told_to_skip(project):
        return "ok (yours stays as it was)"
    if path.is_symlink():
        message = f"{CRUFT} is a link, and what it leads to would be written over"
        raise SkippedError(message)
    try:
        text = json.dumps(record_of(answers), indent=2) + "\n"
    except SkippedError as error:
        if not path.exists():
            raise
        path.unlink()
        message = f"{error}; the {CRUFT} that was there is gone, since it told of an older state"
        raise SkippedError(message) from error
    path.write_text(text, encoding="ascii", newline="\n")
    return "ok (cruft can update the project)"


def telling_lines(output: str) -> str:
    """Keep the last lines of a command's output that say something, each on a line below its reason."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output)
    lines = [line.strip() for line in re.split(r"[\r\n]+", plain)]
    telling = [line for line in lines if re.search(r"[^\W\d_]", line) and not NOISE.match(line)]
    return "".join(f"\n{line[:LONGEST_LINE]}" for line in telling[-TELLING_LINES:])


def verdict_on(command: Sequence[str], code: int, output: str) -> SkippedError | FailedError:
    """Tell a command that was kept from its work from one that said no."""
    for words, obstacle in OBSTACLES.items():
        if re.search(words, output):
            return SkippedError(obstacle + telling_lines(output))
    return FailedError(f"{Path(command[0]).stem} ended with exit code {code}{telling_lines(output)}")


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep what leads to a package index or an engine, drop what leads to another project or Python."""
    return {name: value for name, value in environ.items() if name not in FOREIGN_VARIABLES} | OUR_VARIABLES


def start(command: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, so that it can be ended with all that it starts."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=child_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def end(process: subprocess.Popen[str]) -> None:
    """End a command and all that it has started: first politely, then for sure."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


class Work:
    """The commands of one proof: one at a time, within one time limit, and ended together."""

    def __init__(self, project: Path, seconds: float, say: Say, repeat: str = "") -> None:
        """Begin to count the time."""
        self.project = project
        self.say = say
        self.repeat = repeat
        self.doing = "starting"
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._obstacle = ""
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def announce(self, doing: str) -> None:
        """Say what is being done from now on."""
        self.doing = doing
        self.say(f"{doing} ...")

    def check(self) -> None:
        """Stop here when the proof was stopped, or its time is over."""
        if not self._obstacle and time.monotonic() >= self._deadline:
            self._obstacle = f"stopped after {self._seconds:g} s while {self.doing} (BACKEND_TIMEOUT sets the limit)"
        if self._obstacle:
            raise SkippedError(self._obstacle)

    def run(self, *command: str, seconds: float = float("inf")) -> str:
        """Run a command to its end and return what it printed."""
        with self._lock:
            self.check()
            try:
                process = self._process = start(command, self.project)
            except OSError as error:
                message = f"{command[0]} cannot be started: {error.strerror}"
                raise SkippedError(message) from error
        with process:
            try:
                output, _ = process.communicate(timeout=min(seconds, self._deadline - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                end(process)
                self.check()
                message = f"no answer within {seconds:g} s while {self.doing}"
                raise SkippedError(message) from error
        self.check()
        if process.returncode in INTERRUPTED:
            message = f"interrupted while {self.doing}"
            raise SkippedError(message)
        if process.returncode:
            raise verdict_on(command, process.returncode, output)
        return output

    def stop(self, obstacle: str) -> None:
        """End the running command, and let no other start."""
        with self._lock:
            self._obstacle = self._obstacle or obstacle
            if self._process and self._process.poll() is None:
                end(self._process)


class Interpreter(NamedTuple):
    """An installed Python 3."""

    minor: int
    path: str
    typed: str


# A virtual environment leads to the Python that it was made from: cookiecutter's own may be gone tomorrow.
PROBE = (
    "import json, sys; print(json.dumps([sys.implementation.name, *sys.version_info[:2], "
    "getattr(sys, '_base_executable', None) or sys.executable]))"
)


def probe(work: Work, command: Sequence[str]) -> Interpreter | None:
    """Run what may be a Python: many a name on the PATH leads to none."""
    try:
        answer = json.loads(work.run(*command, "-I", "-c", PROBE, seconds=PROBE_SECONDS).strip().split("\n")[-1])
        implementation, major, minor, path = answer
    except (SkippedError, FailedError, ValueError):
        work.check()
        return None
    name = Path(command[0]).stem if os.name == "nt" else Path(command[0]).name
    typed = shlex.join([name, *command[1:]]) if shutil.which(name) == command[0] else quoted(path)
    return Interpreter(minor, path, typed) if (implementation, major) == ("cpython", 3) else None


def quoted(path: str) -> str:
    """Quote a path for the shell of this system."""
    if os.name == "nt":
        return f'"{path}"' if " " in path else path
    return shlex.quote(path)


def pyenv_pythons(minor: int, environ: Mapping[str, str]) -> list[str]:
    """Find what pyenv has installed, the newest first."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or ".", ".pyenv")
    roots = [environ.get("PYENV_ROOT"), environ.get("PYENV"), home, home / "pyenv-win"]
    python = "python.exe" if os.name == "nt" else "bin/python"
    found = {path for root in roots if root for path in Path(root).glob(f"versions/3.{minor}.*/{python}")}
    return sorted(map(str, found), key=lambda path: [int(number) for number in re.findall(r"\d+", path)], reverse=True)


def found_on_path(name: str) -> Iterator[tuple[str, ...]]:
    """Yield the programs of this name in all folders of the PATH."""
    found = (shutil.which(name, path=folder) for folder in os.get_exec_path())
    yield from ((path,) for path in found if path)


def candidates(work: Work, minor: int) -> Iterator[tuple[str, ...]]:
    """Yield the commands that may lead to this Python: those that name it before those that may be any."""
    yield from found_on_path(f"python3.{minor}")
    if os.name == "nt" and (launcher := shutil.which("py")):
        yield (launcher, f"-3.{minor}")
    yield from ((path,) for path in pyenv_pythons(minor, os.environ))
    yield from found_on_path("python3")
    yield from found_on_path("python")
    yield (sys.executable,)
    if uv := shutil.which("uv"):
        with suppress(SkippedError, FailedError):
            found_by_uv = work.run(
                uv, "python", "find", "--system", "--no-project", "--no-python-downloads", f"3.{minor}"
            )
            yield (found_by_uv.strip(),)


def by_distance(asked: int) -> list[int]:
    """Order the minor versions that the code runs on; of two as near, the older has been tried by more people."""
    return sorted(MINORS, key=lambda minor: (abs(minor - asked), minor))


def find_interpreter(work: Work, asked: int) -> Interpreter:
    """Find the Python that was asked for, or else the nearest one that is installed."""
    probed = functools.cache(functools.partial(probe, work))
    for minor in by_distance(asked):
        for command in candidates(work, minor):
            if (interpreter := probed(command)) and interpreter.minor == minor:
                return interpreter
    message = f"no Python 3.{asked} is installed, nor any other from 3.{MINORS[0]} on"
    raise SkippedError(message)


def venv_program(name: str, system: str = os.name) -> str:
    """Where the virtual environment keeps a program, from the project's folder."""
    return f"{VENV}\\Scripts\\{name}.exe" if system == "nt" else f"{VENV}/bin/{name}"


def venv_command(typed: str, *, with_uv: bool, system: str = os.name) -> str:
    """Write the command that makes the virtual environment and installs the locked requirements."""
    if with_uv:
        install = f"uv pip install --python {VENV} --require-hashes -r {LOCKS[-1]}"
        return f"uv venv --seed --allow-existing --python {typed} {VENV} && {install}"
    pip = venv_program("pip", system).removesuffix(".exe")
    return f"{typed} -m venv {VENV} && {pip} install --require-hashes -r {LOCKS[-1]}"


def default_venv_command(version: str, *, with_uv: bool, system: str = os.name) -> str:
    """Write the command for the Python that was asked for, wherever it may be."""
    typed = version if with_uv else f"py -{version}" if system == "nt" else f"python{version}"
    return venv_command(typed, with_uv=with_uv, system=system)


def run_uv(work: Work, uv: str, *arguments: str) -> None:
    """Run uv with what it has cached; only where that is not enough, it asks the package index."""
    try:
        work.run(uv, *arguments, "--offline")
    except (SkippedError, FailedError):
        work.check()
        work.run(uv, *arguments)


def make_venv(work: Work, uv: str | None, asked: int) -> None:
    """Make an empty virtual environment with the Python asked for, or with the nearest."""
    work.announce(f"looking for Python 3.{asked}")
    interpreter = find_interpreter(work, asked)
    if interpreter.minor != asked:
        work.say(f"Python 3.{asked} is not installed here; this one uses Python 3.{interpreter.minor} instead")
    work.repeat = venv_command(quoted(interpreter.path) if uv else interpreter.typed, with_uv=bool(uv))
    work.announce(f"making {VENV}/ with {interpreter.path}")
    if uv:
        create = ("venv", "--seed", "--allow-existing", "--no-python-downloads")
        run_uv(work, uv, *create, "--python", interpreter.path, VENV)
    else:
        work.run(interpreter.path, "-m", "venv", VENV)


def install_requirements(work: Work, uv: str | None, python: str) -> None:
    """Install the locked requirements, those for development included, and leave the stamp that `make` looks for."""
    work.announce(f"installing {LOCKS[-1]} with {'uv' if uv else 'pip'}")
    locked = ("--require-hashes", "-r", LOCKS[-1])
    if uv:
        run_uv(work, uv, "pip", "install", "--python", python, *locked)
    else:
        work.run(python, "-m", "pip", "install", *locked)
    (work.project / VENV / STAMP).touch()


def prove_venv(work: Work, asked: int) -> None:
    """Prove that the locked requirements install, and that the application can be imported with them."""
    uv = shutil.which("uv")
    folder = work.project / VENV
    python = str(work.project / venv_program("python"))
    if os.path.lexists(folder):
        interpreter = probe(work, (python,))
        if interpreter is None or interpreter.minor not in MINORS:
            message = f"{VENV}/ was there already, and its Python does not run or is too old: remove {VENV}/"
            raise SkippedError(message)
        install_requirements(work, uv, python)
    else:
        try:
            make_venv(work, uv, asked)
            install_requirements(work, uv, python)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    work.announce(f"importing api.main in {VENV}/")
    work.run(python, "-c", IMPORT)


def build_secrets(environ: Mapping[str, str]) -> list[str]:
    """Name what the build may need to reach a private index, not its value; the Dockerfile says what for."""
    given = [f"id={name},env={name}" for name in ("PIP_INDEX_URL", "HTTPS_PROXY") if environ.get(name)]
    if certificate := environ.get("PIP_CERT"):
        given.append(f"id=PIP_CERT,src={certificate}")
    return [word for secret in given for word in ("--secret", secret)]


def prove_image(work: Work, image: str) -> None:
    """Prove that the image builds, and that the application can be imported inside."""
    docker = shutil.which("docker")
    if docker is None:
        message = "docker is not on the PATH"
        raise SkippedError(message)
    work.announce("asking the engine")
    try:
        work.run(docker, "info", "--format", "{{.ServerVersion}}", seconds=PROBE_SECONDS)
    except FailedError as error:
        message = f"the Docker engine does not answer: {error}"
        raise SkippedError(message) from error
    work.announce(f"building the image {image}")
    work.run(docker, *build_command(work, docker), *build_secrets(os.environ), "-t", image, ".")
    work.announce("importing api.main in the image")
    container = f"{image}-{secrets.token_hex(4)}"
    options = ("--rm", "--name", container, "--network", "none", "--entrypoint", "python")
    try:
        work.run(docker, "run", *options, image, "-c", IMPORT)
    except SkippedError:
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([docker, "rm", "-f", container], capture_output=True, check=False, timeout=PROBE_SECONDS)
        raise


def build_command(work: Work, docker: str) -> tuple[str, ...]:
    """Build so that the image can be run: a builder in a container keeps it to itself without `--load`."""
    try:
        work.run(docker, "buildx", "version", seconds=PROBE_SECONDS)
    except FailedError:
        return ("build",)
    return ("buildx", "build", "--load")


class Proof(NamedTuple):
    """Something that is tried out in the finished project, and the command that does so again."""

    step: str
    repeat: str
    prove: Callable[[Work], None]


def wanted_proofs(answers: Answers) -> list[Proof]:
    """Name the proofs that were not declined."""
    slug, version = str(answers["project_slug"]), str(answers["python_version"])
    minor = int(version.removeprefix("3."))
    venv = Proof(
        "venv",
        default_venv_command(version, with_uv=shutil.which("uv") is not None),
        lambda work: prove_venv(work, minor),
    )
    build = shlex.join(["docker", "build", *build_secrets(os.environ), "-t", slug, "."])
    docker = Proof("docker", build, lambda work: prove_image(work, slug))
    return [
        *([venv] if is_on(answers["create_venv"]) else []),
        *([docker] if is_on(answers["check_docker"]) else []),
    ]


class Outcome(NamedTuple):
    """How a step ended: `ok`, `skipped: reason` or `failed: reason`; and the command that repeats it."""

    step: str
    verdict: str
    repeat: str

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be repeated."""
        return self.verdict.startswith("ok")


def verdict_of(act: Callable[[], str | None]) -> str:
    """Do something whose failure must not lose the project, and tell how it ended."""
    began = time.monotonic()
    try:
        return act() or f"ok ({time.monotonic() - began:.1f} s)"
    except SkippedError as error:
        return f"skipped: {error}"
    except FailedError as error:
        return f"failed: {error}"
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return "skipped: the disk is full" if full else f"failed: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and the project stays
        return f"failed: {type(error).__name__}: {error}"


class Attempt:
    """A proof at work in its own thread."""

    def __init__(self, proof: Proof, project: Path, seconds: float, say: Say) -> None:
        """Prepare it."""
        self.step = proof.step
        self.work = Work(project, seconds, lambda text: say(f"{proof.step}: {text}"), proof.repeat)
        self.verdict = ""
        # A thread whose `join` was interrupted counts as ended, running or not, so this tells it instead.
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._try, args=(proof,), daemon=True)

    def begin(self) -> None:
        """Begin, unless it has begun."""
        if self._thread.ident is None:
            self._thread.start()

    def _try(self, proof: Proof) -> None:
        self.verdict = verdict_of(lambda: proof.prove(self.work))
        self.ended.set()

    def outcome(self) -> Outcome:
        """Tell how it ended."""
        return Outcome(self.step, self.verdict or "skipped: it could not be ended", self.work.repeat)


def prove_all(proofs: Sequence[Proof], project: Path, seconds: float, say: Say) -> list[Outcome]:
    """Try all proofs side by side, and show that they are alive."""
    attempts = [Attempt(proof, project, seconds, say) for proof in proofs]
    try:
        for attempt in attempts:
            attempt.begin()
        began = shown = time.monotonic()
        while not all(attempt.ended.wait(TICK_SECONDS) for attempt in attempts):
            if time.monotonic() - shown >= HEARTBEAT_SECONDS:
                shown = time.monotonic()
                for attempt in attempts:
                    if not attempt.ended.is_set():
                        attempt.work.say(f"{attempt.work.doing}, for {shown - began:.0f} s so far ...")
    except KeyboardInterrupt:
        on_interrupts(signal.SIG_IGN)
        say("Interrupted: ending what was started; the project stays.")
        for attempt in attempts:
            attempt.work.stop(f"interrupted while {attempt.work.doing}")
        for attempt in attempts:
            attempt.begin()  # what had not begun ends at once, and tells so
            attempt.ended.wait(PROBE_SECONDS)
    return [attempt.outcome() for attempt in attempts]


def on_interrupts(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    """Handle Ctrl-C and the end of the terminal or session alike; what was ignored from the start stays so."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def time_limit(environ: Mapping[str, str]) -> tuple[float, str]:
    """Read how many seconds a proof may take, and what is to be said about it."""
    text = environ.get("BACKEND_TIMEOUT", "")
    if not text:
        return PROOF_SECONDS, ""
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < float("inf"):
            return seconds, ""
    return PROOF_SECONDS, f"BACKEND_TIMEOUT={text!a} is no number of seconds; {PROOF_SECONDS:.0f} are used."


def proofs_or_reasons(answers: Answers, project: Path, environ: Mapping[str, str], say: Say) -> list[Outcome]:
    """Try the proofs, unless the environment switches them off."""
    proofs = wanted_proofs(answers)
    if is_on(environ.get("BACKEND_SKIP_SETUP", "")):
        return [Outcome(proof.step, "skipped: BACKEND_SKIP_SETUP is set", proof.repeat) for proof in proofs]
    seconds, remark = time_limit(environ)
    if remark:
        say(remark)
    return prove_all(proofs, project, seconds, say)


def way_to(project: Path, environ: Mapping[str, str]) -> str:
    """Write the folder as it is typed from where the user is, as far as the shell has told."""
    here = Path(environ.get("PWD", "."))
    return quoted(str(project.relative_to(here) if here in project.parents else project))


def summary(answers: Answers, outcomes: Sequence[Outcome], folder: str, system: str = os.name) -> str:
    """Tell how each step ended, and what to type next."""
    lines = ["", f"{answers['project_name']} is in {folder}", ""]
    for outcome in outcomes:
        first, *more = outcome.verdict.split("\n")
        lines += [f"  {outcome.step:<8} {first}", *(f"  {'':<8}   {line}" for line in more)]
        lines += [f"  {'':<8} repeat: {outcome.repeat}"] if outcome.repeat else []
    server = venv_program("uvicorn", system).removesuffix(".exe")
    return "\n".join(
        [
            *lines,
            "",
            "Next:",
            f"  cd {folder}",
            f"  make run    (without make: {server} api.main:app --reload)",
            "and open http://localhost:8000/docs",
        ]
    )


def say(text: str) -> None:
    """Print a line at once; nobody has to be there to read it."""
    try:
        print(text, flush=True)
    except (OSError, ValueError):
        # What is still in the buffer would raise once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def cruft_scratch(answers: Answers, project: Path) -> bool:
    """Whether this is one of the throw-away copies which `cruft diff` and `cruft update` compare."""
    temporary, above = Path(tempfile.gettempdir()).resolve(), project.resolve().parent
    return "_commit" in answers and above.parent == temporary and bool(re.fullmatch(r"tmp[a-z0-9_]{8}", above.name))


def finish(answers: Answers, project: Path, environ: Mapping[str, str]) -> int:
    """Do all steps; the exit status tells whether `BACKEND_STRICT` asks cookiecutter to fail."""
    say(f"Finishing {answers['project_name']} ...")
    updates = Outcome("updates", verdict_of(lambda: record(answers, project)), "")
    options = Outcome("options", verdict_of(lambda: prune(project, answers)), f"as {UNFINISHED}/README.md says")
    env = Outcome(".env", verdict_of(lambda: write_env(project)), "")
    outcomes = [
        *([] if options.ok else [options]),
        env if env.ok else env._replace(repeat=f"{'copy' if os.name == 'nt' else 'cp'} .env.example .env"),
        *proofs_or_reasons(answers, project, environ, say),
    ]
    say(summary(answers, [updates, *outcomes], way_to(project, environ)))
    if all(outcome.ok for outcome in outcomes) or not is_on(environ.get("BACKEND_STRICT", "")):
        return 0
    say("BACKEND_STRICT is set and not all is ok: cookiecutter now deletes a new project, unless it was given")
    say("--keep-project-on-failure.")
    return 1


def main(answers: Answers, project: Path) -> int:
    """Finish a project that was just rendered; whatever goes wrong, it stays."""
    if cruft_scratch(answers, project):
        prune(project, answers)
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        on_interrupts(signal.default_int_handler)
        return finish(answers, project, os.environ)
    except KeyboardInterrupt:
        say("Interrupted: the project stays, but it may be incomplete. Generate it again with cookiecutter -f.")
        return 0


if __name__ == "__main__":
    ANSWERS = json.loads(RAW)
    # Cookiecutter has rendered this file into the temporary folder, and would leave it there.
    with suppress(OSError):
        Path(__file__).unlink()
    sys.exit(main(ANSWERS, Path.cwd()))
# {% endraw %}
