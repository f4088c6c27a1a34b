"""The limit: Starlette, asyncpg, hand-written SQL and orjson, without validation, layers or logs."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypedDict

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

COLUMNS = 'id::text, name, "limit"'
ONE = f"SELECT {COLUMNS} FROM budgets WHERE id = $1"
PAGE = f"SELECT {COLUMNS}, (SELECT count(*) FROM budgets) AS total FROM budgets ORDER BY budgets.id LIMIT $1 OFFSET $2"
CREATE = 'INSERT INTO budgets (id, name, "limit", spent, transaction_count) VALUES ($1, $2, $3, 0, 0)'


class State(TypedDict):
    pool: asyncpg.Pool


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[State]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=20, max_size=20, reset=keep) as pool:
        yield {"pool": pool}


async def keep(_: object) -> None:
    """Leave a connection as it is; by default the pool sends four statements to reset it."""


def respond(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def budget(row: asyncpg.Record) -> dict[str, Any]:
    cents = row["limit"]
    return {"id": row["id"], "name": row["name"], "limit": f"{cents // 100}.{cents % 100:02}"}


async def livez(_: Request) -> Response:
    return respond({"status": "ok"})


async def read_one(request: Request) -> Response:
    row = await request.state.pool.fetchrow(ONE, request.path_params["budget_id"])
    return respond(budget(row)) if row else respond({"title": "Not Found"}, 404)


async def read_page(request: Request) -> Response:
    limit, offset = (int(request.query_params.get(name, default)) for name, default in (("limit", 20), ("offset", 0)))
    rows = await request.state.pool.fetch(PAGE, limit, offset)
    total = rows[0]["total"] if rows else 0
    return respond({"items": [budget(row) for row in rows], "total": total, "limit": limit, "offset": offset})


async def create(request: Request) -> Response:
    body = orjson.loads(await request.body())
    whole, _, rest = body["limit"].partition(".")
    key = uuid.uuid4()
    await request.state.pool.execute(CREATE, key, body["name"], int(whole) * 100 + int(rest.ljust(2, "0")))
    return respond({"id": key, "name": body["name"], "limit": body["limit"]}, 201)


app = Starlette(
    routes=[
        Route("/livez", livez),
        Route("/v1/budgets", read_page),
        Route("/v1/budgets", create, methods=["POST"]),
        Route("/v1/budgets/{budget_id}", read_one),
    ],
    lifespan=lifespan,
)
