"""How long the template takes, beside an empty one and beside published generators, round by round in one run."""

import contextlib
import functools
import os
import re
import resource
import secrets
import shlex
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from benchmarks.interpreter import PYTHON, interpreter
from benchmarks.tables import judged, table
from conftest import ROOT, TEMPLATE, tool
from web import free_port, wait_for

COOKIECUTTER = version("cookiecutter")
ROUNDS = 5
SLUG = "budget-api"
WITHOUT_PROOFS = ("create_venv=no", "check_docker=no")
PATIENCE_SECONDS = 600


class Spent(NamedTuple):
    """Seconds on the clock, and those of processors."""

    wall: float
    processor: float


class Measured(NamedTuple):
    """What one comparison has given: a passage in Markdown, and for each goal a row of what, how far, and how near."""

    text: str
    goals: list[tuple[str, str, str]]


class Generator(NamedTuple):
    """Something that makes a backend called `folder` and its environment, perhaps by a second command."""

    package: str
    command: tuple[str, ...]
    typed: str = ""
    then: tuple[str, ...] = ()
    folder: str = "shop"


OURS = Generator(
    "cookiecutter",
    ("cookiecutter", "--no-input", str(ROOT), f"python_version={PYTHON}", "check_docker=no"),
    folder=SLUG,
)
OTHERS = (
    Generator("fastapi-new", ("fastapi-new", "shop", "--python", PYTHON)),
    Generator(
        "fastapi-fastkit",
        (
            *("fastkit", "init", "--project-name", "shop", "--description", "Sells things.", "--author", "Ada"),
            *("--author-email", "ada@example.com", "--package-manager", "uv"),
        ),
        typed="minimal\ny\ny\n",
    ),
    Generator(
        "fastapi-fullstack",
        ("fastapi-fullstack", "create", "shop", "--minimal", "--ai-framework", "none"),
        then=("make", "-C", "shop", "install"),
    ),
    Generator(
        "fastapi-template",
        (
            *("fastapi_template", "--quiet", "--name", "shop", "--api-type", "rest", "--db", "sqlite"),
            *("--orm", "sqlalchemy", "--ci", "github", "--migrations", "--dummy", "--routers"),
        ),
    ),
)


class Bench:
    """A folder for everything that is made, and the surroundings in which it is: those of somebody who has uv."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BACKEND_", "PYTHON", "UV_COMPILE", "VIRTUAL_ENV"))
        }
        settings = folder / "cookiecutter.yaml"
        settings.write_text(f"replay_dir: {folder}/replay\ncookiecutters_dir: {folder}/templates\n", encoding="utf-8")
        self.environ |= {"COOKIECUTTER_CONFIG": str(settings), "UV_PYTHON_DOWNLOADS": "never"}
        self.find_first(tool("uv").parent)
        self.python = interpreter()
        self.find_first(self.python.parent)

    def find_first(self, programs: Path) -> None:
        """Put a folder in front of the PATH."""
        self.environ["PATH"] = f"{programs}{os.pathsep}{self.environ['PATH']}"

    def run(self, *command: str, folder: Path | None = None, typed: str = "") -> str:
        """Run a command to its end and return what it printed.

        Raises:
            RuntimeError: where it failed, with its last words.
        """
        done = subprocess.run(
            (shutil.which(command[0], path=self.environ["PATH"]) or command[0], *command[1:]),
            cwd=folder or self.folder,
            env=self.environ,
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        if done.returncode:
            words = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).split()
            message = f"`{command[0]}` ended with {done.returncode}: {' '.join(words[-30:])}"
            raise RuntimeError(message)
        return done.stdout

    def install(self, package: str, constraint: str = "") -> str:
        """Give a generator an environment of its own, already compiled, and return its version."""
        environment = self.folder / "generators" / package
        self.run("uv", "venv", "--python", str(self.python), str(environment))
        self.run("uv", "pip", "install", "--compile-bytecode", "--python", str(environment), package + constraint)
        ask = f"from importlib.metadata import version; print(version({package!r}))"
        return self.run(self.program(package, "python"), "-c", ask).strip()

    def spend(self, *commands: Sequence[str], typed: str = "") -> tuple[Spent, Path]:
        """Run commands in a new folder; give what they took, and the folder."""
        output = Path(tempfile.mkdtemp(dir=self.folder))
        before, began = children_seconds(), time.perf_counter()
        for command in commands:
            self.run(*command, folder=output, typed=typed)
        return Spent(time.perf_counter() - began, children_seconds() - before), output

    def program(self, package: str, name: str) -> str:
        """Where a generator's environment keeps a program."""
        return str(self.folder / "generators" / package / "bin" / name)

    def generate(self, generator: Generator, *answers: str) -> tuple[Spent, Path]:
        """Run a generator to its end; give what it took, and its project."""
        program, *arguments = generator.command
        command = (self.program(generator.package, program), *arguments, *answers)
        spent, output = self.spend(*filter(None, (command, generator.then)), typed=generator.typed)
        return spent, output / generator.folder


def children_seconds() -> float:
    """The processor time of all commands that have ended, and of what they had waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def interleave(
    contenders: Mapping[str, Callable[[], Mapping[str, Spent]]], rounds: int
) -> tuple[dict[str, list[Spent]], dict[str, str]]:
    """Measure all in turn, so that what disturbs one disturbs the others; give what they took, or why they can't run.

    A first round that does not count fills the caches.
    """
    spent: dict[str, list[Spent]] = {}
    faults: dict[str, str] = {}
    for number in range(rounds + 1):
        for name, measure in contenders.items():
            if name in faults:
                continue
            try:
                measured = measure()
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                faults[name] = str(error)
                continue
            if number:
                for each, seconds in measured.items():
                    spent.setdefault(each, []).append(seconds)
    return spent, faults


def median(seconds: Sequence[Spent]) -> float:
    """The middle of the seconds on the clock."""
    return statistics.median(each.wall for each in seconds)


def least(seconds: Sequence[Spent]) -> float:
    """The processor's seconds where it was disturbed least: others slow it down and never speed it up."""
    return min(each.processor for each in seconds)


def empty_template(folder: Path, *, hooks: bool) -> Path:
    """Write a template of one file that asks one question, perhaps with hooks that do nothing."""
    project = folder / "{{cookiecutter.project_slug}}"
    project.mkdir(parents=True)
    (folder / "cookiecutter.json").write_text('{"project_slug": "empty"}\n', encoding="utf-8")
    (project / "README.md").write_text("# {{ cookiecutter.project_slug }}\n", encoding="utf-8")
    if hooks:
        (folder / "hooks").mkdir()
        for name in ("pre_gen_project.py", "post_gen_project.py"):
            (folder / "hooks" / name).write_text("", encoding="utf-8")
    return folder


def measure_rendering(bench: Bench, rounds: int) -> Measured:
    """Render with both proofs off, and compare with an empty template, each with hooks and without."""
    cookiecutter = (bench.program("cookiecutter", "cookiecutter"), "--no-input")
    commands = {
        "an empty template": (str(empty_template(bench.folder / "empty", hooks=False)),),
        "an empty template with empty hooks": (str(empty_template(bench.folder / "hooked", hooks=True)),),
        "this one, `--accept-hooks no`": ("--accept-hooks", "no", str(ROOT), *WITHOUT_PROOFS),
        "this one": (str(ROOT), *WITHOUT_PROOFS),
    }

    def render(name: str) -> Mapping[str, Spent]:
        return {name: bench.spend((*cookiecutter, *commands[name]))[0]}

    contenders = {name: functools.partial(render, name) for name in commands}
    spent, faults = interleave(contenders, rounds)
    if faults:
        raise RuntimeError(faults)
    empty, empty_hooked, unhooked, whole = spent.values()
    rows = [
        (
            name,
            f"{median(seconds) * 1000:.0f} ms",
            f"{least(seconds) * 1000:.0f} ms",
            f"{least(seconds) / least(empty):.2f}",
            f"{least(seconds) / least(empty_hooked):.2f}",
        )
        for name, seconds in spent.items()
    ]
    template = [path for path in TEMPLATE.rglob("*") if "__pycache__" not in path.parts]
    paths = least(unhooked) - least(empty)
    hooks = least(whole) - least(unhooked)
    told = (
        f"The {len(template)} files and folders of the template take {paths * 1000:.0f} ms of a processor more than one "
        "file does: cookiecutter compiles a Jinja template for each path, and writes it. The goal leaves room for "
        f"{0.3 * least(empty) / paths * len(template):.0f} of them. The hooks take {hooks * 1000:.0f} ms more, two starts of "
        f"Python included; on the clock the medians are {(median(whole) - median(unhooked)) * 1000:.0f} ms apart."
    )
    heading = ("", "median", "processor, least", "of the empty", "of the empty with hooks")
    return Measured(
        f"### Rendering, both proofs off\n\n{table(heading, rows)}\n\n{told}",
        [
            ("rendering, times the empty template", "≤ 1.3", judged(least(unhooked) / least(empty), most=1.3)),
            ("rendering and hooks, times the empty template", "≤ 1.3", judged(least(whole) / least(empty), most=1.3)),
            ("the hooks' own time", "< 0.15 s", judged(hooks, " s", most=0.15)),
        ],
    )


def count_files(project: Path) -> int:
    """Count what a generator has written itself: neither what is installed, nor what tools leave."""
    foreign = re.compile(r"(\.git|\.?venv|__pycache__|.*_cache|node_modules)")
    files = (path.relative_to(project) for path in project.rglob("*") if path.is_file())
    return sum(not any(foreign.fullmatch(part) for part in path.parts) for path in files)


def measure_generators(bench: Bench, others: Sequence[Generator], rounds: int) -> Measured:
    """Generate a project and install its environment from uv's warm cache, beside others; then ask it over HTTP."""
    versions: dict[str, str] = {}
    files: dict[str, int] = {}

    def ours() -> Mapping[str, Spent]:
        began = time.time()
        spent, project = bench.generate(OURS)
        installed = (project / "venv" / ".installed").stat().st_mtime - began
        served = first_answer(bench, project)
        files["installed"] = files["proven"] = count_files(project)
        shutil.rmtree(project)
        return {
            "installed": spent._replace(wall=installed),
            "proven": spent,
            "answered": Spent(spent.wall + served.wall, spent.processor + served.processor),
        }

    def other(generator: Generator) -> Mapping[str, Spent]:
        if generator.package not in versions:
            versions[generator.package] = bench.install(generator.package)
        spent, project = bench.generate(generator)
        files[generator.package] = count_files(project)
        shutil.rmtree(project)
        return {generator.package: spent}

    contenders = {generator.package: functools.partial(other, generator) for generator in others}
    spent, faults = interleave({"ours": ours, **contenders}, rounds)
    if "ours" in faults:
        raise RuntimeError(faults["ours"])
    names = {"installed": "this one, `venv/` installed", "proven": "this one, `api.main` imported as well"}
    answered = spent.pop("answered")
    rows = [
        (
            names.get(name) or f"{name} {versions[name]}",
            str(files.get(name, "")),
            f"{median(seconds):.2f} s",
            "" if name == "installed" else f"{least(seconds):.2f} s",
        )
        for name, seconds in spent.items()
    ]
    rows += [(name, "", f"can't be run here: {fault}", "") for name, fault in faults.items()]
    fastest = min((median(spent[generator.package]) for generator in others if generator.package in spent), default=0)
    heading = ("", "files", "median", "processor, least")
    return Measured(
        f"### From the answers to an installed environment, packages cached\n\n{table(heading, rows)}",
        [
            *(
                (
                    f"{names[name]}, times the fastest of the others",
                    "≤ 1",
                    judged(median(spent[name]) / fastest, most=1),
                )
                for name in names
                if fastest
            ),
            (
                "from the answers to the first 200, by what `make run` runs",
                "≤ 5 s",
                judged(median(answered), " s", most=5),
            ),
            ("the same, as time of a processor", "", f"{least(answered):.2f} s"),
        ],
    )


def first_answer(bench: Bench, project: Path) -> Spent:
    """Serve a new project as `make run` does, but for the port, until it answers."""
    port = free_port()
    command = bench.run("make", "--no-print-directory", "--dry-run", "run", folder=project).replace(
        "--port 8000", f"--port {port}"
    )
    before, began = children_seconds(), time.perf_counter()
    server = subprocess.Popen(
        shlex.split(command),
        cwd=project,
        env=bench.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/livez", 60)
        seconds = time.perf_counter() - began
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(PATIENCE_SECONDS)
    return Spent(seconds, children_seconds() - before)


def measure_proofs(bench: Bench, rounds: int) -> Measured:
    """Prove the environment, the image, and both side by side, each time with a source that no layer is cached for."""
    switches = {"`venv/` alone": ("yes", "no"), "image alone": ("no", "yes"), "both": ("yes", "yes")}

    def prove(name: str) -> Mapping[str, Spent]:
        create_venv, check_docker = switches[name]
        slug = f"bench-{secrets.token_hex(4)}"
        answers = (f"project_slug={slug}", f"description={slug}", f"check_docker={check_docker}")
        generator = OURS._replace(command=OURS.command[:-1], folder=slug)
        bench.environ["BACKEND_STRICT"] = "1"
        try:
            spent, project = bench.generate(generator, f"create_venv={create_venv}", *answers)
        finally:
            del bench.environ["BACKEND_STRICT"]
            if check_docker == "yes":
                with contextlib.suppress(RuntimeError):
                    bench.run("docker", "image", "rm", "--force", slug)
        shutil.rmtree(project)
        return {name: spent}

    contenders = {name: functools.partial(prove, name) for name in switches}
    spent, faults = interleave(contenders, rounds)
    if faults:
        return Measured(f"### Both proofs, side by side\n\nCan't be run here: {next(iter(faults.values()))}", [])
    venv, image, both = map(median, spent.values())
    rows = [(name, f"{median(seconds):.2f} s", f"{least(seconds):.2f} s") for name, seconds in spent.items()]
    heading = ("", "median", "processor without the engine's, least")
    return Measured(
        f"### Both proofs, side by side\n\n{table(heading, rows)}",
        [
            ("both proofs, times the longer of the two", "≤ 1.1", judged(both / max(venv, image), most=1.1)),
            ("both proofs, times their sum", "", f"{both / (venv + image):.2f}"),
        ],
    )


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """Make a bench with the cookiecutter that is locked, and leave nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.install("cookiecutter", f"=={COOKIECUTTER}")
        yield bench


def run(*, quick: bool) -> str:
    """Measure everything, or only what needs neither an engine nor other generators; give the section about it."""
    rounds = 1 if quick else ROUNDS
    with bench() as here:
        parts = [
            measure_rendering(here, rounds),
            measure_generators(here, () if quick else OTHERS, rounds),
            *([] if quick else [measure_proofs(here, rounds)]),
        ]
    goals = [goal for part in parts for goal in part.goals]
    how = (
        f"Interleaved rounds that count: {rounds}. Cookiecutter {COOKIECUTTER}, Python {PYTHON}. Ratios of rendering are "
        f"those of processor time, which suffers least from what else the machine does; the load was {os.getloadavg()[0]:.1f} at the end."
    )
    passages = (part.text for part in parts)
    return "\n\n".join(["## The generator", how, *passages, f"### Goals\n\n{table(('', 'goal', 'measured'), goals)}\n"])
