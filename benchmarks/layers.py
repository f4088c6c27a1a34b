"""Ask a backend in this process, with ever more of it taken away; print the seconds of a processor as JSON.

It runs in the folder of the generated backend, with its settings in the environment.
"""

import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from unittest.mock import patch
from uuid import UUID

import asyncpg
import uvloop
from api import main
from api.dependencies.database import Database
from api.dependencies.settings import load_settings
from api.routers import problems
from api.schemas.transactions import TransactionRead
from api.services.transactions import TransactionService
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUNDS, REQUESTS = 10, 100

ID = UUID(int=1)
ONE_TRANSACTION = f"/v1/budgets/{ID}/transactions/{ID}"
SCOPE: Scope = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "query_string": b"",
    "root_path": "",
    "scheme": "http",
    "headers": [(b"host", b"127.0.0.1:8000")],
    "server": ("127.0.0.1", 8000),
    "client": ("127.0.0.1", 50000),
}
ONE = "SELECT id, budget_id, amount, description, occurred_at FROM transactions WHERE budget_id = $1 AND id = $2"

FIXED = TransactionRead(
    id=ID, budget_id=ID, amount=Decimal("12.50"), description="Bread and butter", occurred_at=datetime.now(UTC)
)


class Nothing:
    """Middleware that does nothing."""

    def __init__(self, app: ASGIApp, **_: object) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def answer_at_once(*_: object) -> TransactionRead:
    return FIXED


@asynccontextmanager
async def without_connection(*_: object, **__: object) -> AsyncIterator[None]:
    yield


STATEMENT = (TransactionService, "get", answer_at_once)
CONNECTION = (Database, "_unit_of_work", without_connection)
MIDDLEWARE = (
    *((main, name, Nothing) for name in ("AccessLog", "BodyLimit", "RequestId", "SecurityHeaders")),
    (problems, "RaisedAsProblem", Nothing),
)
TAKEN_AWAY: dict[str, tuple[str, tuple[tuple[object, str, object], ...]]] = {
    "all": (ONE_TRANSACTION, ()),
    "without statement": (ONE_TRANSACTION, (STATEMENT,)),
    "without connection": (ONE_TRANSACTION, (STATEMENT, CONNECTION)),
    "without middleware": (ONE_TRANSACTION, (STATEMENT, CONNECTION, *MIDDLEWARE)),
    "livez": ("/livez", ()),
    "livez without middleware": ("/livez", MIDDLEWARE),
}


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(_: Message) -> None:
    pass


async def time_all() -> dict[str, float]:
    """Take the best of several rounds, in turn."""
    settings = load_settings()
    calls: dict[str, tuple[Callable[[], Awaitable[object]], tuple[tuple[object, str, object], ...]]] = {}
    async with AsyncExitStack() as stack:
        for name, (path, patches) in TAKEN_AWAY.items():
            with patched(patches):
                app = main.create_app(settings)
            state = await stack.enter_async_context(app.router.lifespan_context(app))

            asked = {**SCOPE, "path": path, "raw_path": path.encode()}

            async def call(app: ASGIApp = app, asked: Scope = asked, state: object = state) -> None:
                await app({**asked, "state": dict(state)}, receive, send)

            calls[name] = call, patches
        pool = await stack.enter_async_context(asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=1))
        calls["asyncpg"] = (lambda: pool.fetchrow(ONE, ID, ID)), ()
        best = dict.fromkeys(calls, float("inf"))
        for _ in range(ROUNDS):
            for name, (call, patches) in calls.items():
                with patched(patches):
                    await call()
                    began = time.process_time()
                    for _ in range(REQUESTS):
                        await call()
                    best[name] = min(best[name], (time.process_time() - began) / REQUESTS)
    return best


def patched(patches: tuple[tuple[object, str, object], ...]) -> ExitStack:
    stack = ExitStack()
    for where, name, what in patches:
        stack.enter_context(patch.object(where, name, what))
    return stack


if __name__ == "__main__":
    print(json.dumps(uvloop.run(time_all())))
