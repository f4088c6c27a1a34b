"""`.env`: a copy of `.env.example` with fresh secrets."""

import re
import secrets

from setup.steps import Step


def write_env(step: Step) -> str:
    """Write `.env`, readable by its owner alone, unless there is one; a variable without a value gets 256 random bits."""
    path = step.project / ".env"
    example = (step.project / ".env.example").read_text(encoding="utf-8")
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return "ok (kept as it was)"
    try:
        text = re.sub(r"(?m)^[A-Z][A-Z0-9_]*=$", lambda line: line[0] + secrets.token_urlsafe(32), example)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError:
        path.unlink()
        raise
    return "ok (with fresh secrets)"
