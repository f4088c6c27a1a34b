"""Settings and hooks of gunicorn, which reads this file by itself; command line options override it.

On SIGTERM the server

1. reports that it is not ready for `DRAIN_SECONDS`, and goes on with requests,
2. accepts no more connections, and completes the requests in flight within `graceful_timeout`,
3. closes idle connections.

See https://docs.gunicorn.org/en/stable/settings.html#server-hooks.
"""

import gc
import math
import os
import signal

from gunicorn.arbiter import Arbiter
from gunicorn.asgi.parser import CallbackRequest
from gunicorn.workers.gasgi import ASGIWorker

CLOSING_SECONDS = 1
"""How long a stopping worker goes on with kept connections, each of which it closes with its next response."""

IDLE_SECONDS = 3
"""When a stopping worker closes those that were idle; gunicorn stops accepting up to a second after the first."""

in_flight: set[CallbackRequest] = set()
"""The requests that the worker has begun and not completed."""


def read_number(name: str, *, default: float, minimum: float) -> float:
    """Read a number from the environment; an empty variable is unset.

    Raises:
        SystemExit: naming the variable and the rule.
    """
    rule = f"{name}: a number of at least {minimum} is needed"
    try:
        number = float(os.environ.get(name) or default)
    except ValueError:
        raise SystemExit(rule) from None
    if not minimum <= number < math.inf:
        raise SystemExit(rule)
    return number


DRAIN_SECONDS = read_number("DRAIN_SECONDS", default=0, minimum=0)
"""How long a proxy needs to see that `/readyz` fails, and to send requests elsewhere."""

workers = int(read_number("WEB_CONCURRENCY", default=1, minimum=1))
worker_class = "asgi"
asgi_loop = "uvloop"
asgi_lifespan = "on"
preload_app = True  # workers share its memory
keepalive = 75  # seconds: longer than the idle time-out of proxies, so that the proxy closes a connection
control_socket_disable = True


def when_ready(arbiter: Arbiter) -> None:
    """Drain before the stop."""

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
    """Handle the signals of a stop."""
    worker.closing = False

    def drain() -> None:
        worker.state["stopping"] = True
        worker.closing = True

    def stop() -> None:
        worker.closing = True
        # A response may just have promised to keep its connection: the next one announces that it is closed.
        worker.loop.call_later(CLOSING_SECONDS if worker.nr_conns else 0, worker.handle_exit_signal)
        worker.loop.call_later(IDLE_SECONDS, close_idle_connections)

    def close_idle_connections() -> None:
        if in_flight:
            worker.loop.call_later(0.1, close_idle_connections)
        else:
            worker.nr_conns = 0  # gunicorn waits until it is: for idle connections too

    worker.loop.add_signal_handler(signal.SIGUSR2, drain)
    worker.loop.add_signal_handler(signal.SIGTERM, stop)


def pre_request(worker: ASGIWorker, request: CallbackRequest) -> None:
    """Count the request, and close its connection after the response if the worker stops."""
    in_flight.add(request)
    request.must_close |= worker.closing


def post_request(_worker: ASGIWorker, request: CallbackRequest, _environ: object, _response: object) -> None:
    """Count the request no more."""
    in_flight.discard(request)
