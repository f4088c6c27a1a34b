"""Ask a backend in this process, with ever more of it taken away; print the seconds of a processor as JSON.

It runs in the folder of the generated backend, with its settings in the environment; the arguments are how often, and
how many ask at once.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from unittest.mock import patch
from uuid import UUID

import asyncpg
import uvloop
from api.dependencies.database import Database
from api.dependencies.settings import load_settings
from api.schemas.pagination import Page
from api.schemas.transactions import TransactionRead
from api.services.transactions import TransactionService
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import main
from api.routers import problems

REQUESTS = 4
"""Of each client, in each round."""

ID = UUID(int=1)
TRANSACTIONS = f"/v1/budgets/{ID}/transactions"
A_BUDGET_EACH = "/v1/budgets/{client}/transactions"
BODY = b'{"amount": "0.01", "description": "Bread and butter"}'
SCOPE: Scope = {
    "type": "http",
    "http_version": "1.1",
    "query_string": b"",
    "root_path": "",
    "scheme": "http",
    "headers": [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")],
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 50000),
}
ONE = "SELECT id, budget_id, amount, description, occurred_at FROM transactions WHERE budget_id = $1 AND id = $2"

FIXED = TransactionRead(
    id=ID, budget_id=ID, amount=Decimal("12.50"), description="Bread and butter", occurred_at=datetime.now(UTC)
)
FIXED_PAGE = Page[TransactionRead](items=[FIXED] * 20, total=1_000, limit=20, offset=0)

Patch = tuple[object, str, object]


class Nothing:
    """Middleware that does nothing."""

    def __init__(self, app: ASGIApp, **_: object) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def give_one(*_: object) -> TransactionRead:
    return FIXED


async def give_page(*_: object) -> Page[TransactionRead]:
    return FIXED_PAGE


@asynccontextmanager
async def without_connection(*_: object, **__: object) -> AsyncIterator[None]:
    yield


async def keep(_: object) -> None:
    """Send nothing to clean a connection, as SQLAlchemy's pool does."""


CONNECTION = (Database, "session", without_connection)
MIDDLEWARE: tuple[Patch, ...] = (
    *(
        (main, name, Nothing)
        for name in ("AccessLogMiddleware", "BodyLimitMiddleware", "RequestIdMiddleware", "SecurityHeadersMiddleware")
    ),
    (problems, "ProblemMiddleware", Nothing),
)
ROUTES: dict[str, tuple[str, str, Patch | None]] = {
    "livez": ("GET", "/livez", None),
    "one": ("GET", f"{TRANSACTIONS}/{ID}", (TransactionService, "get", give_one)),
    "page": ("GET", TRANSACTIONS, (TransactionService, "get_page", give_page)),
    "create": ("POST", A_BUDGET_EACH, (TransactionService, "create", give_one)),
}
"""Method, path, and what answers in the place of the service."""

Call = Callable[[Scope], Awaitable[object]]


async def receive() -> Message:
    return {"type": "http.request", "body": BODY, "more_body": False}


async def send(_: Message) -> None:
    pass


def steps(service: Patch | None) -> dict[str, tuple[Patch, ...]]:
    """What is taken away, step by step, from a route."""
    if service is None:
        return {"all": (), "without middleware": MIDDLEWARE}
    return {
        "all": (),
        "without statements": (service,),
        "without connection": (service, CONNECTION),
        "without middleware": (service, CONNECTION, *MIDDLEWARE),
    }


async def time_all(rounds: int, clients: int) -> dict[str, dict[str, float]]:
    """Take the median of several rounds, in turn."""
    settings = load_settings()
    calls: dict[tuple[str, str], tuple[Call, tuple[Patch, ...]]] = {}
    async with AsyncExitStack() as stack:
        for route, (_, _, service) in ROUTES.items():
            for step, patches in steps(service).items():
                with patched(patches):
                    app = main.create_app(settings)
                state = await stack.enter_async_context(app.router.lifespan_context(app))

                async def call(asked: Scope, app: ASGIApp = app, state: object = state) -> None:
                    await app({**asked, "state": dict(state)}, receive, send)

                calls[route, step] = call, patches
        create_pool = asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=clients, max_size=clients, reset=keep)
        pool = await stack.enter_async_context(create_pool)
        calls["one", "asyncpg alone"] = (lambda _: pool.fetchrow(ONE, ID, ID)), ()
        spent: dict[str, dict[str, list[float]]] = {route: {} for route in ROUTES}
        for _ in range(rounds):
            for (route, step), (call, patches) in calls.items():
                crowd = [scope(route, client) for client in range(clients)]
                with patched(patches):
                    await asyncio.gather(*map(call, crowd))
                    began = time.process_time()
                    for _ in range(REQUESTS):
                        await asyncio.gather(*map(call, crowd))
                    took = time.process_time() - began
                    spent[route].setdefault(step, []).append(took / REQUESTS / clients)
    return {route: {step: median(seconds) for step, seconds in taken.items()} for route, taken in spent.items()}


def scope(route: str, client: int) -> Scope:
    """What a client asks; each spends from a budget of its own, so that none waits for another."""
    method, path, _ = ROUTES[route]
    path = path.format(client=UUID(int=2 + client))
    return {**SCOPE, "method": method, "path": path, "raw_path": path.encode()}


def patched(patches: tuple[Patch, ...]) -> ExitStack:
    stack = ExitStack()
    for where, name, what in patches:
        stack.enter_context(patch.object(where, name, what))
    return stack


if __name__ == "__main__":
    print(json.dumps(uvloop.run(time_all(*map(int, sys.argv[1:])))))
