"""The host names of the API."""

from collections.abc import Iterable
from http import HTTPStatus

from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dependencies.health import HEALTH_ROUTES


class AllowedHostsMiddleware:
    """Refuse requests for other hosts with a 400: they come from a rebound DNS name or a forged link.

    Health checks are excepted, since they are sent to an address. Starlette's `TrustedHostMiddleware` has no such
    exception, and its response is plain text instead of a problem.

    Raises:
        HTTPException: the `Host` header names none of `hosts`; `*.example.com` stands for every name below it.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app = app
        self._hosts = frozenset(hosts)
        self._suffixes = tuple(host[1:] for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"] not in HEALTH_ROUTES:
            host = URL(scope=scope).hostname or ""
            if host not in self._hosts and not host.endswith(self._suffixes):
                raise HTTPException(HTTPStatus.BAD_REQUEST, "The request is for another host.")
        await self.app(scope, receive, send)
