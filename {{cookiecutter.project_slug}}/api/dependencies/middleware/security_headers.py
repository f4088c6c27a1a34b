"""Security headers of responses."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""For an API without pages: https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html."""

HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
"""One year, in seconds: RFC 6797. Browsers ignore it in responses over plain HTTP."""


class SecurityHeadersMiddleware:
    """Add the headers that a response does not set itself."""

    def __init__(self, app: ASGIApp, *, https_only: bool) -> None:
        self.app = app
        headers = HEADERS | HTTPS_ONLY if https_only else HEADERS
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self._headers if header[0] not in given),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)
