"""Limits of size and time of request bodies."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1024 * 1024

BODY_TIMEOUT = 20.0
"""Seconds for the whole body; gunicorn waits 30 for each part of it."""


class BodyLimitMiddleware:
    """Stop reading a body that is too large, whatever its `Content-Length`, or too slow.

    The `max_body_size` of FastAPI and Starlette has no time limit, and its response is plain text instead of a problem.

    Raises:
        HTTPException: 413 beyond `MAX_BODY_BYTES`, 408 after `BODY_TIMEOUT`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        if int(Headers(scope=scope).get("content-length", 0)) > MAX_BODY_BYTES:
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
            size += len(message.get("body", b""))
            complete = not message.get("more_body")
            if size > MAX_BODY_BYTES:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self.app(scope, receive_within_limits, send)
