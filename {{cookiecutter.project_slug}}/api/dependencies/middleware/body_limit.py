"""Limits of size, time and memory of request bodies."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BUFFERED_BYTES = 64 * 1024 * 1024
"""Of all bodies that a process holds at a time."""

BODY_TIMEOUT = 20.0
"""Seconds for the whole body; gunicorn waits 30 for each part of it."""


class BodyLimitMiddleware:
    """Stop reading a body that is too large, whatever its `Content-Length`, or too slow.

    The `max_body_size` of FastAPI and Starlette has no time limit, and its response is plain text instead of a problem.

    Raises:
        HTTPException: 413 beyond `max_bytes`, 408 after `BODY_TIMEOUT`, 503 while bodies take `MAX_BUFFERED_BYTES`.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        if int(Headers(scope=scope).get("content-length", 0)) > self._max_bytes:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        size = 0
        complete = False
        deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT

        async def receive_within_limits() -> Message:
            nonlocal size, complete
            try:
                async with asyncio.timeout_at(None if complete else deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None
            received = len(message.get("body", b""))
            size += received
            self._buffered += received
            complete = not message.get("more_body")
            if size > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            if received and self._buffered > MAX_BUFFERED_BYTES:
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})
            return message

        try:
            await self.app(scope, receive_within_limits, send)
        finally:
            self._buffered -= size
