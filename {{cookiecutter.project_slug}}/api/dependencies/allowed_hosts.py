"""The names that we answer to."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dependencies.health import HEALTH_ROUTES


class AllowedHosts:
    """Refuse requests for another host, which come from a rebound DNS name or a forged link; the answer is a 400.

    Health checks ask by address, so they are let in. Starlette's own middleware refuses them, and with plain text.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self._names = frozenset(names)
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] not in HEALTH_ROUTES:
            host = URL(scope=scope).hostname or ""
            if host not in self._names and not host.endswith(self._endings):
                raise HTTPException(HTTPStatus.BAD_REQUEST, "The request is for another host.")
        await self.app(scope, receive, send)
