"""Settings and hooks of gunicorn, which reads this file by itself; command line options override it.

On SIGTERM the server reports for `DRAIN_SECONDS` that it is not ready, and goes on. Then it completes the requests in
flight, within `graceful_timeout`. From the beginning each connection is closed with its next response; those that stay
idle are closed at the end. On SIGHUP, each worker that is replaced does the same without `DRAIN_SECONDS`.

The hooks are described in https://docs.gunicorn.org/en/stable/settings.html#server-hooks.
"""

import asyncio
import gc
import math
import os
import resource
import signal
from contextlib import suppress

from gunicorn.arbiter import Arbiter
from gunicorn.asgi.parser import CallbackRequest
from gunicorn.workers.gasgi import ASGIWorker


def read_number(name: str, *, default: float, minimum: float) -> float:
    """Read a number from the environment; an empty variable is unset.

    Raises:
        SystemExit: naming the variable and the rule.
    """
    try:
        number = float(os.environ.get(name) or default)
    except ValueError:
        number = math.nan
    if not minimum <= number < math.inf:
        message = f"{name}: a number of at least {minimum} is needed"
        raise SystemExit(message)
    return number


DRAIN_SECONDS = read_number("DRAIN_SECONDS", default=0, minimum=0)
"""How long a proxy needs to see that `/readyz` fails, and to send requests elsewhere."""

CLOSING_SECONDS = 1
"""How long a stopping worker goes on to accept connections, so that those in use end with a response."""

IDLE_SECONDS = 3
"""When it closes idle connections; gunicorn needs up to a second to stop accepting."""

workers = int(read_number("WEB_CONCURRENCY", default=1, minimum=1))
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


def when_ready(arbiter: Arbiter) -> None:
    """Drain for `DRAIN_SECONDS` before the stop."""

    def drain(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        arbiter.kill_workers(signal.SIGUSR2)
        signal.setitimer(signal.ITIMER_REAL, DRAIN_SECONDS)

    if DRAIN_SECONDS:
        signal.signal(signal.SIGALRM, lambda _, frame: arbiter.signal(signal.SIGTERM, frame))
        signal.signal(signal.SIGTERM, drain)


def pre_fork(_arbiter: Arbiter, _worker: ASGIWorker) -> None:
    """Exclude what is loaded from garbage collection, so that its memory stays shared."""
    gc.freeze()


def post_worker_init(worker: ASGIWorker) -> None:
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


def pre_request(worker: ASGIWorker, request: CallbackRequest) -> None:
    """Close the connection with the response while the worker stops."""
    request.must_close |= worker.closing
    if task := asyncio.current_task():
        in_flight.add(task)
        task.add_done_callback(in_flight.discard)
