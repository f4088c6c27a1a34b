"""The limit: what can be had without validation, layers, logs or a mapper, on the tables of the generated backend."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypedDict

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

URL = os.environ["DATABASE_URL"]
POOL = int(os.environ["DATABASE_POOL_SIZE"])

COLUMNS = "id::text, budget_id::text, amount, description, occurred_at"
ONE = f"SELECT {COLUMNS} FROM transactions WHERE budget_id = $1 AND id = $2"
PAGE = f"""
SELECT {COLUMNS}, (SELECT transaction_count FROM budgets WHERE id = $1) AS total
FROM transactions WHERE budget_id = $1 ORDER BY occurred_at DESC, transactions.id DESC LIMIT $2 OFFSET $3
"""
CREATE = """
WITH spending AS (
    UPDATE budgets SET spent = spent + $2, transaction_count = transaction_count + 1
    WHERE id = $1 AND spent + $2 <= "limit" RETURNING id
)
INSERT INTO transactions (id, budget_id, amount, description, occurred_at)
SELECT $3, id, $2, $4, $5 FROM spending RETURNING id
"""


class State(TypedDict):
    """What a request gets."""

    pool: asyncpg.Pool


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[State]:
    async with asyncpg.create_pool(URL, min_size=POOL, max_size=POOL, reset=keep) as pool:
        yield {"pool": pool}


async def keep(_: object) -> None:
    """Nothing is left on a connection; by default the pool would send four statements to clean it, a second trip."""


def answer(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content, option=orjson.OPT_UTC_Z), status, media_type="application/json")


def transaction(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "budget_id": row["budget_id"],
        "amount": money(row["amount"]),
        "description": row["description"],
        "occurred_at": row["occurred_at"],
    }


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


async def livez(_: Request) -> Response:
    return answer({"status": "ok"})


async def read_one(request: Request) -> Response:
    keys = request.path_params
    row = await request.state.pool.fetchrow(ONE, keys["budget_id"], keys["transaction_id"])
    return answer(transaction(row)) if row else answer({"title": "Not Found"}, 404)


async def read_page(request: Request) -> Response:
    limit, offset = (int(request.query_params.get(name, default)) for name, default in (("limit", 20), ("offset", 0)))
    rows = await request.state.pool.fetch(PAGE, request.path_params["budget_id"], limit, offset)
    total = rows[0]["total"] if rows else 0
    return answer({"items": [transaction(row) for row in rows], "total": total, "limit": limit, "offset": offset})


async def create(request: Request) -> Response:
    budget_id = request.path_params["budget_id"]
    body = orjson.loads(await request.body())
    whole, _, rest = body["amount"].partition(".")
    cents = int(whole) * 100 + int(rest.ljust(2, "0"))
    key, now = uuid.uuid4(), datetime.now(UTC)
    if await request.state.pool.fetchval(CREATE, budget_id, cents, key, body["description"], now) is None:
        return answer({"title": "The budget's limit would be exceeded"}, 409)
    created = {"id": key, "budget_id": budget_id, "amount": money(cents), "description": body["description"]}
    return answer({**created, "occurred_at": now}, 201)


TRANSACTIONS = "/v1/budgets/{budget_id}/transactions"

app = Starlette(
    routes=[
        Route("/livez", livez),
        Route(TRANSACTIONS, read_page),
        Route(TRANSACTIONS, create, methods=["POST"]),
        Route(f"{TRANSACTIONS}/{{transaction_id}}", read_one),
    ],
    lifespan=lifespan,
)
