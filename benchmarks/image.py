"""What a backend occupies: its installed packages, and its image above the base."""

import re
import secrets

from benchmarks.backends import Backend
from engine import MISSING_ENGINE, attempt, docker


def packages_size(backend: Backend) -> float:
    """The installed packages without bytecode, in MB."""
    files = (path for path in backend.packages.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sum(path.stat().st_size for path in files) / 1e6


def image_size(backend: Backend) -> str:
    """The size of the image above its base, or the reason why it can't be built here."""
    if not backend.image or MISSING_ENGINE:
        return MISSING_ENGINE or ""
    folder, stage = backend.image
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+:\S+)", dockerfile, re.MULTILINE)
    tag = f"benchmark-{secrets.token_hex(4)}"
    done = attempt("build", "--quiet", "--tag", tag, *(("--target", stage) if stage else ()), folder)
    if done.returncode:
        missing = re.findall(r"/v2/(\S+)/manifests/([^\"]+)", done.stderr)
        return f"`{':'.join(missing[0])}` can't be pulled" if missing else done.stderr.strip().splitlines()[-1]
    size, base = (int(docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (tag, bases[-1]))
    docker("image", "rm", "--force", tag)
    return f"{(size - base) / 1e6:.0f} MB"
