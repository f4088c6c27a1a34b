"""Bounds on what a request may send."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1024 * 1024
"""Bytes; FastAPI's own `max_body_size` answers with plain text, and so does Starlette's."""

LONGEST_WAIT = 20.0
"""Seconds for all of it; gunicorn itself would wait 30 for each of its parts."""


class BodyLimit:
    """Don't read a body that is too large, whatever its length is said to be, or too slow: a 413 or a 408."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        if int(Headers(scope=scope).get("content-length", 0)) > LARGEST_BODY:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        size = 0
        complete = False
        deadline = asyncio.get_running_loop().time() + LONGEST_WAIT

        async def receive_within_limits() -> Message:
            nonlocal size, complete
            try:
                async with asyncio.timeout_at(None if complete else deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None
            size += len(message.get("body", b""))
            complete = not message.get("more_body")
            if size > LARGEST_BODY:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        await self.app(scope, receive_within_limits, send)
