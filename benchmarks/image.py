"""The image of the generated backend, and its process: how large, and how long one waits for them."""

import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.backends import bake
from benchmarks.tables import judged, table
from conftest import Project
from engine import docker
from web import ask, free_port, wait_for

LARGEST_PARTS = 8

SIZES = "du -sk /venv/lib/python3*/site-packages/*/ | sort -rn"
MEMORY = "grep -H ^Private /proc/[0-9]*/smaps_rollup"


def run(*, quick: bool) -> str:
    """Build the image and start it, and give the section about it."""
    rounds = range(1 if quick else 5)
    with tempfile.TemporaryDirectory() as folder, image(bake(Path(folder) / "image", "ci=none")) as (project, tag):
        base = re.findall(r"^FROM (\S+) AS base$", project.text("Dockerfile"), re.MULTILINE)[0]
        added = (size(tag) - size(base)) / 1e6
        rebuilds = [rebuild(project, tag) for _ in rounds]
        starts, stops, seconds = zip(*(live(tag) for _ in rounds), strict=True)
        parts = [line.split() for line in docker("run", "--rm", tag, "sh", "-c", SIZES).splitlines()]
        python = docker("run", "--rm", tag, "python", "--version")
    waits = [("warm rebuild after a change to one source file", "1.5", rebuilds)]
    waits += [("`docker run` to the first 200", "2.0", list(starts))]
    waits += [("SIGTERM to the end of the container, idle", "0.5", list(stops))]
    medians = [(title, goal, statistics.median(values)) for title, goal, values in waits]
    second = statistics.median(seconds) / 1024
    rows = [
        *([title, f"≤ {goal} s", judged(value, " s", most=float(goal))] for title, goal, value in medians),
        ["image above its base", "≤ 100 MB", judged(added, " MB", most=100)],
        ["memory that a second worker has to itself", "≤ 40 MiB", judged(second, " MiB", most=40)],
    ]
    made_of = ", ".join(f"{Path(path).name} {int(kib) * 1024 / 1e6:.1f}" for kib, path in parts[:LARGEST_PARTS])
    return f"""\
## The image and the process

The default project, with {python} in its image; medians of {len(rounds)}. The times are those of the engine's command
line.

{table(("what", "goal", "measured"), rows)}

Above its base the image holds the virtual environment, of which the largest packages take, in MB: {made_of}.
"""


@contextmanager
def image(project: Project) -> Iterator[tuple[Project, str]]:
    """Build the image under a name of its own, and take it away again."""
    tag = f"benchmark-{secrets.token_hex(4)}"
    build(project, tag)
    try:
        yield project, tag
    finally:
        docker("image", "rm", "--force", tag)
        docker("image", "prune", "--force", "--filter", f"label={tag}")  # those that have lost the name to a rebuild


def build(project: Project, tag: str) -> None:
    """Build the image of a project."""
    docker("build", "--quiet", "--label", tag, "--tag", tag, project.path)


def size(name: str) -> int:
    """Bytes of an image, unpacked."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", name))


def rebuild(project: Project, tag: str) -> float:
    """Change a source file; tell how many seconds the next build takes."""
    with (project.path / "api/main.py").open("a", encoding="utf-8") as source:
        source.write(f"# {secrets.token_hex(4)}\n")
    began = time.monotonic()
    build(project, tag)
    return time.monotonic() - began


def live(tag: str) -> tuple[float, float, int]:
    """Start a container of two workers, and end it: seconds to the first 200 and to the end, KiB of a worker."""
    port = free_port()
    options = ("--detach", "--env", "WEB_CONCURRENCY=2", "--publish", f"127.0.0.1:{port}:5000")
    began = time.monotonic()
    container = docker("run", *options, tag)
    try:
        wait_for(f"http://127.0.0.1:{port}/livez", pause=0.01)
        started = time.monotonic() - began
        for _ in range(200):
            ask("GET", f"http://127.0.0.1:{port}/readyz")
        memory = second_worker(container)
        began = time.monotonic()
        docker("kill", "--signal", "TERM", container)
        docker("wait", container)
        return started, time.monotonic() - began, memory
    finally:
        docker("rm", "--force", "--volumes", container)


def second_worker(container: str) -> int:
    """KiB that the last of the container's workers has to itself."""
    private: dict[int, int] = {}
    for line in docker("exec", container, "sh", "-c", MEMORY).splitlines():
        process, kib = re.findall(r"/proc/(\d+)/.* (\d+) kB", line)[0]
        private[int(process)] = private.get(int(process), 0) + int(kib)
    servers = sorted(private, key=lambda process: private[process])
    return private[max(servers[-2:])]
