"""Settings and hooks of gunicorn, which reads this file by itself; command line options override it.

As a program, this file checks the settings and runs gunicorn.

On SIGTERM the server reports for `DRAIN_SECONDS` that it is not ready, and goes on. Then it completes the requests in
flight, within `graceful_timeout`. From the beginning each connection is closed with its next response; those that stay
idle are closed at the end. On SIGHUP, each worker that is replaced does the same without `DRAIN_SECONDS`.

The hooks are described in https://docs.gunicorn.org/en/stable/settings.html#server-hooks.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections import deque
from contextlib import suppress
from io import FileIO, TextIOWrapper
from select import select
from typing import TYPE_CHECKING

from api.dependencies.settings import load_settings

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.asgi.parser import CallbackRequest
    from gunicorn.workers.gasgi import ASGIWorker

settings = load_settings()

CLOSING_SECONDS = 1
"""How long a stopping worker goes on to accept connections, so that those in use end with a response."""

IDLE_SECONDS = 3
"""When it closes idle connections; gunicorn needs up to a second to stop accepting."""

LOG_SECONDS = 0.1
"""How long the first log line waits that finds a pipe full, whose reader may only be busy."""

MAX_LOG_LINES = 1000
"""How many lines a process keeps for a pipe that is not read; the next ones are dropped until it is read again."""


class NonBlockingStderr(TextIOWrapper):
    """Standard error, which stops nothing when it is a pipe that is not read."""

    def __init__(self, file: FileIO) -> None:
        super().__init__(file)
        self._lines: deque[bytes] = deque()
        self._dropped = 0

    def write(self, text: str, /) -> int:
        """Write a text after those that were kept, or keep it, or drop it."""
        self._write_lines(0)
        seconds = 0 if self._lines else LOG_SECONDS
        if len(self._lines) >= MAX_LOG_LINES:
            self._dropped += 1
            return len(text)
        if dropped := self._dropped:
            self._dropped = 0
            logging.getLogger("gunicorn.error").warning("%d lines of the log were dropped: it was not read", dropped)
        self._lines.append(text.encode(errors="backslashreplace"))
        self._write_lines(seconds)
        return len(text)

    def _write_lines(self, seconds: float) -> None:
        while self._lines:
            try:
                written = os.write(self.fileno(), self._lines[0])
            except BlockingIOError:
                if not select([], [self], [], seconds)[1]:
                    return
            else:
                rest = self._lines.popleft()[written:]
                if rest:  # only of a line beyond 4 KiB
                    self._lines.appendleft(rest)


if not sys.stderr.isatty():  # a terminal's mode is the shell's too
    os.set_blocking(sys.stderr.fileno(), False)
    sys.stderr = NonBlockingStderr(FileIO(sys.stderr.fileno(), "w", closefd=False))

workers = settings.web_concurrency
worker_class = "asgi"
asgi_loop = "uvloop"
asgi_lifespan = "on"
preload_app = True  # workers share its memory
keepalive = 75  # seconds, longer than proxies keep idle connections, so that the proxy closes them
control_socket_disable = True

open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
with suppress(ValueError):  # macOS names a limit that it does not allow
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))  # each connection is an open file

in_flight: set[asyncio.Task[object]] = set()
"""The requests of a worker that are not completed, background tasks included."""


def when_ready(arbiter: "Arbiter") -> None:
    """Drain for `DRAIN_SECONDS` before the stop."""

    def drain(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        arbiter.kill_workers(signal.SIGUSR2)
        signal.setitimer(signal.ITIMER_REAL, settings.drain_seconds)

    if settings.drain_seconds:
        signal.signal(signal.SIGALRM, lambda _, frame: arbiter.signal(signal.SIGTERM, frame))
        signal.signal(signal.SIGTERM, drain)


def pre_fork(_arbiter: "Arbiter", _worker: "ASGIWorker") -> None:
    """Exclude what is loaded from garbage collection, so that its memory stays shared."""
    gc.freeze()


def post_worker_init(worker: "ASGIWorker") -> None:
    """Handle SIGUSR2, which announces a stop, and SIGTERM."""
    worker.closing = False

    def drain() -> None:
        worker.closing = worker.state["stopping"] = True

    def stop() -> None:
        worker.closing = True
        worker.loop.call_later(CLOSING_SECONDS if worker.nr_conns else 0, worker.handle_exit_signal)
        worker.loop.call_later(IDLE_SECONDS, close_idle_connections)

    def close_idle_connections() -> None:
        if in_flight:
            worker.loop.call_later(0.1, close_idle_connections)
        else:
            worker.nr_conns = 0  # gunicorn waits for it, and then closes what is open

    worker.loop.add_signal_handler(signal.SIGUSR2, drain)
    worker.loop.add_signal_handler(signal.SIGTERM, stop)


def pre_request(worker: "ASGIWorker", request: "CallbackRequest") -> None:
    """Close the connection with the response while the worker stops."""
    request.must_close |= worker.closing
    if task := asyncio.current_task():
        in_flight.add(task)
        task.add_done_callback(in_flight.discard)


if __name__ == "__main__":
    # The command of the image; gunicorn reads WEB_CONCURRENCY by itself, and fails for an empty one.
    os.environ["WEB_CONCURRENCY"] = str(settings.web_concurrency)
    from gunicorn.app.wsgiapp import run

    run()
