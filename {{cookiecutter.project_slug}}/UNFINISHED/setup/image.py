"""The check of the image: it builds, and the application can be imported in it."""

import os
import shutil
from pathlib import Path

from setup.steps import PROBE_SECONDS, Context, Step, StepError
from setup.summary import shell_join

# The first process of a container ignores SIGTERM unless it handles it.
IMPORT = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)); import api.main"


def build_secrets() -> list[str]:
    """Return the options that pass on what leads to a private index; the Dockerfile mounts them."""
    given = [name for name in ("PIP_INDEX_URL", "https_proxy", "HTTPS_PROXY", "PIP_CERT") if os.environ.get(name)]
    sources = {each.upper(): f"src={os.environ[each]}" if each == "PIP_CERT" else f"env={each}" for each in given}
    return [word for name, source in sources.items() for word in ("--secret", f"id={name},{source}")]


def check_image(step: Step, docker: str | None, image: str) -> None:
    """Build the image, and import the application in a container without network."""
    if docker is None:
        raise StepError("skipped: docker is not on the PATH, and neither is podman")
    step.announce("asking the engine")
    try:
        step.run(docker, "version", seconds=PROBE_SECONDS)
    except StepError as error:
        raise StepError(str(error).replace("failed:", "skipped: the engine is not running:", 1)) from error
    step.announce(f"building the image {image}")
    # Without --load, a builder in a container keeps the image to itself.
    build = ["build"] if step.probe(docker, "buildx", "version") is None else ["buildx", "build", "--load"]
    step.run(docker, *build, *build_secrets(), "-t", image, ".")
    step.announce("importing api.main in the image")
    step.run(docker, "run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", IMPORT)


def image_check(context: Context, image: str) -> Step:
    """Describe the check for the name of an image."""
    docker = shutil.which("docker") or shutil.which("podman")
    repeat = [Path(docker or "docker").stem, "build", *build_secrets(), "-t", image, "."]
    return Step(context, "docker", lambda step: check_image(step, docker, image), [shell_join(repeat)])
