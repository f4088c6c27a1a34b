"""The generated backend and its competitors: one interpreter, one server, equal pools, and the same rows."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

from benchmarks.interpreter import interpreter
from benchmarks.load import halves, pinned
from conftest import Project, command_line, installed, run
from postgresql import PostgreSQL
from serving import Server, migrate, serving

HERE = Path(__file__).parent
POOL = 32
APPS = {"limit": "limit:app", "generated": "api.main:app", "typical": "typical:app"}

LOGS = {"typical": {"GUNICORN_CMD_ARGS": "--access-logfile=-"}}
"""The generated backend logs by itself, the limit not at all."""

BUDGET = UUID(int=1)
"""Has all rows that are read."""

EMPTY_BUDGETS = [UUID(int=number) for number in range(2, 102)]
"""Are spent from, in turn, so that clients seldom wait for each other."""

ROWS = f"""
INSERT INTO budgets (id, name, "limit", spent, transaction_count)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'Budget ' || n, 99999999999999, 0, 0 FROM generate_series(1, 101) n;
INSERT INTO transactions (id, budget_id, amount, description, occurred_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, '{BUDGET}', 1250, 'Bread and butter', timestamptz '2026-01-01Z' + n * interval '1 s'
FROM generate_series(1, {{rows}}) n;
UPDATE budgets SET spent = {{rows}} * 1250, transaction_count = {{rows}} WHERE id = '{BUDGET}';
"""

FORGET = f"""
DELETE FROM transactions WHERE budget_id <> '{BUDGET}';
UPDATE budgets SET spent = 0, transaction_count = 0 WHERE id <> '{BUDGET}';
"""


def environment() -> Path:
    """The programs of one virtual environment for all, with the packages that the generated backend locks."""
    return installed(HERE / "requirements.txt", str(interpreter()))


def bake(folder: Path, *answers: str) -> Project:
    """Generate a backend."""
    folder.mkdir()
    done = run(command_line(folder, *answers), cwd=folder, env={"BACKEND_SKIP_SETUP": "1"})
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Project(folder / "budget-api")


def fill(project: Project, server: PostgreSQL, rows: int) -> str:
    """Make a database with a budget of so many transactions; give its URL."""
    url = migrate(project, environment(), server.create_database())
    server.query(ROWS.format(rows=rows), url)
    server.query("VACUUM ANALYZE", url)
    return url


def forget(server: PostgreSQL, url: str) -> None:
    """Begin again with the rows that are read."""
    server.query(FORGET, url)
    server.query("VACUUM ANALYZE", url)


@contextmanager
def backends(project: Project, url: str, folder: Path, *names: str, workers: int = 1) -> Iterator[dict[str, Server]]:
    """Serve the generated backend as its image does, and the others by the same server."""
    settings = {
        "DATABASE_URL": url,
        "DATABASE_POOL_SIZE": str(POOL),
        "WEB_CONCURRENCY": str(workers),
        "PYTHONPATH": str(HERE),
    }
    with ExitStack() as stack, pinned(halves().servers[:workers]):
        yield {
            name: stack.enter_context(
                serving(project, environment(), folder, settings | LOGS.get(name, {}), app=APPS[name])
            )
            for name in names or APPS
        }
