"""How gunicorn serves the application, which it reads by itself; command line options win over it.

Each worker stops without failing a request. gunicorn's own shuts its door at once, up to a second after SIGTERM, and
then waits half a minute for clients that keep a connection without using it.
"""

import asyncio
import gc
import os
import signal
from typing import ClassVar
from weakref import WeakSet

from gunicorn.arbiter import Arbiter
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "0"))
"""So long a stopping server goes on, not ready: its proxy needs to notice, and to send requests elsewhere."""

IDLE_SECONDS = 1
"""So long it then leaves an idle connection open: a request may be on its way."""


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """A connection that can be found again."""

    opened: ClassVar[WeakSet["Connection"]] = WeakSet()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.opened.add(self)

    def close_if_idle(self) -> None:
        """Close it, unless a request is being answered; the answer will end it."""
        if self._awaiting_request:
            self.transport.close()

    def _will_close(self, *answer: object) -> bool:
        return self.worker.stopping or bool(super()._will_close(*answer))


gasgi.ASGIProtocol = Connection


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker that answers whatever comes while it stops, and ends each connection with an answer."""

    serving: asyncio.Task[None]
    drain_seconds = DRAIN_SECONDS
    stopping = False

    def init_signals(self) -> None:
        """Listen to the arbiter."""
        super().init_signals()
        self.loop.add_signal_handler(signal.SIGUSR2, self.handle_replacement)

    def handle_replacement(self) -> None:
        """Expect to stop while the server goes on: there is nothing to notice."""
        self.drain_seconds = 0

    def handle_exit_signal(self) -> None:
        """Begin to stop at once, but stay `alive`: else an answer that promised to keep its connection would end it."""
        if not self.servers:
            super().handle_exit_signal()
        elif not self.stopping:
            self.stopping = True
            self.serving.cancel()

    async def _serve(self) -> None:
        self.serving = self.loop.create_task(super()._serve())
        await self.serving

    async def _shutdown(self) -> None:
        if self.drain_seconds:
            self.state["stopping"] = True
            await asyncio.sleep(self.drain_seconds)
        self.loop.call_later(IDLE_SECONDS, self.close_idle_connections)
        await super()._shutdown()

    def close_idle_connections(self) -> None:
        """Wait no longer for requests."""
        for connection in list(Connection.opened):
            connection.close_if_idle()


def pre_fork(_arbiter: Arbiter, _worker: Worker) -> None:
    """Leave what is loaded out of every search for garbage: it stays shared, and a process ends without looking at it."""
    gc.freeze()


def on_reload(arbiter: Arbiter) -> None:
    """Tell the workers that they will be replaced."""
    arbiter.kill_workers(signal.SIGUSR2)


worker_class = Worker
asgi_loop = "uvloop"
asgi_lifespan = "on"
preload_app = True  # workers share its memory
keepalive = 75  # seconds, more than proxies take, so that it is they who close a connection
control_socket_disable = True
