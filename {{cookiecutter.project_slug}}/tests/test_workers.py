"""Two workers of gunicorn that start and stop at the same moment."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from api.dependencies.migrations import PYPROJECT
from tests.collector import Collector  # option: telemetry

SERVED = """
import os
import time
from pathlib import Path

from api.main import app

@app.get("/which")
async def which() -> int:
    time.sleep(0.02)  # the next request is for another worker
    return os.getpid()

async def start_together(scope, receive, send):
    if scope["type"] == "lifespan":
        Path(f"{os.getpid()}.here").touch()
        while len([*Path().glob("*.here")]) < 2:
            time.sleep(0.001)
    await app(scope, receive, send)
"""

GUNICORN = (sys.executable, "-m", "gunicorn", f"--config={PYPROJECT.with_name('gunicorn.conf.py')}", "--workers=2")


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
def test_two_workers_start_together_on_a_new_file_and_stop(
    tmp_path: Path,
    collector: Collector,  # option: telemetry
) -> None:
    (tmp_path / "served.py").write_text(SERVED, "utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(PYPROJECT.parent),
        "ENVIRONMENT": "",
        "DATABASE_URL": "",
        "SQLITE_FILE": str(tmp_path / "app.db"),
        # option: telemetry
        "OTEL_SDK_DISABLED": "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        # end: telemetry
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = subprocess.Popen(  # noqa: S603 - no shell, fixed words
            [*GUNICORN, f"--bind=fd://{listener.fileno()}", "served:start_together"],
            cwd=tmp_path,
            env=environment,
            pass_fds=[listener.fileno()],
        )
    pids: list[str] = []
    with server, ThreadPoolExecutor() as pool:
        try:
            while len(set(pids)) < 2 and len(pids) < 200:
                pids += pool.map(get_worker_pid, [port] * 2)
        finally:
            server.terminate()
    assert len(set(pids)) == 2
    assert server.returncode == 0
    # option: telemetry
    assert [span.name for span in collector.spans] == ["GET /which"] * len(pids)
    assert len({resource["service.instance.id"] for resource in collector.resources}) == 2
    # end: telemetry


def get_worker_pid(port: int) -> str:
    """Return the process id of the worker that handles a request."""
    with urlopen(f"http://127.0.0.1:{port}/which", timeout=30) as response:
        return str(response.read())
