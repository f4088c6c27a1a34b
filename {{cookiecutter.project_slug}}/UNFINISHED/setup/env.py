"""`.env`: a copy of `.env.example` with fresh secrets."""

import re
import secrets

from setup.steps import Step


def write_env(step: Step) -> str:
    """Write `.env`, readable by its owner alone, unless there is one; a variable without a value gets 256 random bits."""
    path = step.context.project / ".env"
    example = (step.context.project / ".env.example").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^[A-Z][A-Z0-9_]*=$", lambda line: line[0] + secrets.token_urlsafe(32), example)
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(text, encoding="utf-8", newline="\n")
    except FileExistsError:
        return "ok (kept as it was)"
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return "ok (with fresh secrets)"
