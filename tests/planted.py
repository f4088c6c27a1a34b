"""Repositories with planted faults, and what a report on them says: parts of lines, by the name of the check."""

Faults = dict[str, list[str]]

HEALTHCHECK = "HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \\\n    CMD"

# What was changed by hand in a project: the text of new files, and replaced parts of old ones.
NEW = {
    "api/utils/__init__.py": "",
    "api/schemas/transaction.py": "from api.models import transactions\n",
    "api/services/reports.py": (
        "from starlette import status\n\n\ndef build() -> None:\n    raise status.HTTPException(404)\n"
    ),
    "api/routers/reports.py": """
from fastapi import APIRouter
from sqlalchemy import select

from api.models.budgets import Budget

router = APIRouter()


@router.get("/reports")
async def list_reports(session):
    if session:
        return await session.scalars(select(Budget))
""",
}
EDITED = {
    "requirements.txt": ("aiosqlite==", "requests>=2\naiosqlite=="),
    "pyproject.toml": ('requires-python = ">=3.11"', 'requires-python = ">=3.9"'),
    "Dockerfile": (HEALTHCHECK, "USER root\nHEALTHCHECK NONE\n#"),
    ".github/workflows/ci.yml": (" && git diff --exit-code requirements*.txt", ""),
    "gunicorn.conf.py": ("import", "import this\nimport"),
}
REMOVED = (".gitignore", "migrations/env.py")
DRIFTED: Faults = {
    "LAY2": ["`api/utils/` is not part of the layout"],
    "LAY3": ["one entity has several names"],
    "LAY4": ["`.gitignore` is missing"],
    "LAY5": ["`migrations/env.py` is missing"],
    "IMP1": ["`api/schemas/transaction.py`, line 1: `schemas` must not import `api.models.transactions`"],
    "IMP2": ["`api/services/reports.py`, line 1: imports `starlette.status`"],
    "IMP3": ["`api/routers/reports.py`, line 3: imports `sqlalchemy.select`"],
    "IMP4": ["`api/routers/reports.py`, line 13: uses `Budget`"],
    "END1": ["`api/routers/reports.py`, line 11: `list_reports` has branches, loops or `try`"],
    "END2": ["`list_reports` hands nothing to a service"],
    "END3": ["`list_reports` declares no response"],
    "END4": ["`api/services/reports.py`, line 5: raises `HTTPException`"],
    "PKG1": ["`requirements.txt`: 1 without version or hash, such as `requests>=2`"],
    "PKG2": ["`pyproject.toml`: `>=3.9` allows Python 3."],
    "IMG1": ["`Dockerfile`: the container runs as `root`"],
    "IMG2": ["`Dockerfile`: there is no `HEALTHCHECK`"],
    "IMG3": ["`Dockerfile`: `python:3.13-slim` has no digest"],
    "CI1": ["no job runs `make lock"],
    "CI2": ["`.github/workflows/ci.yml`: `actions/checkout@v7` is not named by commit"],
    "TPL2": ["is 1 commit behind `v1.1.0`"],
    "TPL3": [
        *("`.github/workflows/ci.yml` was changed", "`Dockerfile` was changed", "`gunicorn.conf.py` was changed"),
        "`migrations/env.py` was removed",
    ],
}

FOREIGN = {
    "requirements.txt": "fastapi\ngunicorn==20.0\n",
    "Dockerfile": 'FROM python:3.9-slim\nCOPY . .\nCMD ["gunicorn", "app.main:app"]\n',
    "README.md": "# A shop\n",
    "app/__init__.py": "",
    "app/core/config.py": "import os\n\nDEBUG = os.environ.get('DEBUG')\n",
    "app/models.py": "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase): ...\n",
    "app/main.py": "import fastapi\n\napp = fastapi.FastAPI()\n\n\n@app.get('/')\ndef root():\n    return dict(a=1)\n",
}
FOREIGN_FAULTS: Faults = {
    "LAY2": [
        "`api/` is missing; the backend is in `app/`",
        *(f"`app/{name}` is missing" for name in ("routers", "dependencies", "services")),
        *(
            "`app/models` is a module, not a package",
            "`app/schemas` is missing",
            "`app/core/` is not part of the layout",
        ),
    ],
    "LAY4": ["`.gitignore` is missing"],
    "LAY5": ["`migrations/env.py` is missing"],
    "END2": ["`app/main.py`, line 7: `root` hands nothing to a service"],
    "END3": ["`root` declares no response"],
    "PKG1": ["`requirements.txt`: 2 without version or hash, such as `fastapi`", "`requirements-dev.txt` is missing"],
    "PKG2": ["`pyproject.toml` has no valid `requires-python`", "`python:3.9-slim` has reached its end of life"],
    "IMG1": ["the container runs as the user of the base image"],
    "IMG2": ["there is no `HEALTHCHECK`"],
    "IMG3": ["`python:3.9-slim` has no digest"],
    "CI1": ["there is no pipeline"],
    "TPL1": ["neither `.cruft.json` nor"],
}

BROKEN = {
    ".cruft.json": b"{",
    ".gitlab-ci.yml": b"lint: [\n",
    "api/main.py": b"def create_app(:\n",
    "api/services/health.py": b"\xff\0",
    "pyproject.toml": b"[project\n",
    "requirements.txt": b"\xff",
}
