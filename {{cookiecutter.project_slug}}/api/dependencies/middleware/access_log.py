"""One log line for each request."""

import logging
from collections.abc import Callable  # option: telemetry
from http import HTTPStatus
from time import perf_counter
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dependencies.health import HEALTH_ROUTES

logger = logging.getLogger("api.access")


class AccessLogMiddleware:
    """Log method, route, path, status, duration in milliseconds and client address of every response.

    Successful health checks are logged at DEBUG. Query strings are not logged: they may hold secrets.
    """

    def __init__(
        self,
        app: ASGIApp,
        record_duration: Callable[[Scope, int, float], None],  # option: telemetry
    ) -> None:
        self.app = app
        self.record_duration = record_duration  # option: telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request and log it, also when it raises."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = perf_counter()
        status = 500

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note_status)
        finally:
            seconds = perf_counter() - started
            self.record_duration(scope, status, seconds)  # option: telemetry
            is_routine = scope["path"] in HEALTH_ROUTES and status < HTTPStatus.BAD_REQUEST
            level = logging.DEBUG if is_routine else logging.INFO
            if logger.isEnabledFor(level):
                path = quote(scope["path"])
                route = scope["route"].path if "route" in scope else None
                duration = round(seconds * 1000, 1)
                fields = {
                    "method": scope["method"],
                    "path": path,
                    "route": route,
                    "status": status,
                    "duration_ms": duration,
                    "client": scope["client"][0] if scope.get("client") else None,
                }
                arguments = (scope["method"], route or path, status, duration)
                logger.log(level, "%s %.56s %s in %s ms", *arguments, extra={"fields": fields})
