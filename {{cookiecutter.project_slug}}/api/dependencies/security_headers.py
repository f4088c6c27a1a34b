"""What browsers are told about every answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""After https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html: it is data, not a page."""

ONLY_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}
"""For a year: RFC 6797; browsers heed it only where it came over HTTPS."""


class SecurityHeaders:
    """Add those headers that an answer does not set itself."""

    def __init__(self, app: ASGIApp, *, only_https: bool) -> None:
        self.app = app
        headers = HEADERS | ONLY_HTTPS if only_https else HEADERS
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
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
