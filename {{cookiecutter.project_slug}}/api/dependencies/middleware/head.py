"""HEAD requests."""

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Respond to HEAD as to GET, without the body: RFC 9110, section 9.3.2. FastAPI's routes for GET refuse it.

    A route that is declared for HEAD itself receives it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        declared = any(route.matches(scope)[0] is Match.FULL for route in scope["app"].routes)
        inner = scope if declared else {**scope, "method": "GET"}
        try:
            await self.app(inner, receive, send_without_body)
        finally:
            scope.update(inner, method="HEAD")  # with the route, which is logged
