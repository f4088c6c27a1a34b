"""The check of the image: it builds, and the application can be imported in it."""

import os
import shutil
from pathlib import Path

from setup.checks import Step
from setup.commands import PROBE_SECONDS, Runner, StepError
from setup.summary import shell_join

# The first process of a container ignores SIGTERM unless it handles it.
IMPORT = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)); import api.main"


def build_secrets() -> list[str]:
    """Return the options that pass on what leads to a private index; the Dockerfile mounts them."""
    given = [name for name in ("PIP_INDEX_URL", "HTTPS_PROXY", "https_proxy", "PIP_CERT") if os.environ.get(name)]
    sources = {name.upper(): f"env={name}" for name in reversed(given)}
    if "PIP_CERT" in sources:
        sources["PIP_CERT"] = f"src={os.environ['PIP_CERT']}"
    return [word for name, source in sources.items() for word in ("--secret", f"id={name},{source}")]


def check_image(runner: Runner, docker: str | None, image: str) -> None:
    """Build the image, and import the application in a container without network."""
    if docker is None:
        raise StepError("skipped: neither docker nor podman is on the PATH")
    runner.announce("asking the engine")
    try:
        runner.run(docker, "version", seconds=PROBE_SECONDS)
    except StepError as error:
        runner.raise_if_over()
        reason = str(error).partition(": ")[2]
        raise StepError(f"skipped: the engine does not answer: {reason}") from error
    runner.announce(f"building the image {image}")
    # Without --load, a builder in a container keeps the image to itself.
    buildx = runner.probe(docker, "buildx", "version")
    build = ["build"] if buildx is None else ["buildx", "build", "--load"]
    runner.run(docker, *build, *build_secrets(), "-t", image, ".")
    runner.announce("importing api.main in the image")
    runner.run(docker, "run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", IMPORT)


def image_check(image: str) -> Step:
    """Describe the check for the name of an image."""
    docker = shutil.which("docker") or shutil.which("podman")
    repeat = [Path(docker or "docker").stem, "build", *build_secrets(), "-t", image, "."]
    return Step("docker", lambda runner: check_image(runner, docker, image), (shell_join(repeat),))
