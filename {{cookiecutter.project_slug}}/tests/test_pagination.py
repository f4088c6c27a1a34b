"""Lists come in pages of a bounded size and in a stable order."""

from collections.abc import Callable

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import bindparam, literal, select, union_all

from api.dependencies.database import ConnectionDep
from api.dependencies.pagination import PageDep
from api.schemas.base import ResponseBody
from api.schemas.pagination import Page
from api.services.pagination import PagedQuery

router = APIRouter()


class Number(ResponseBody):
    """An item."""

    n: int


class Bill(ResponseBody):
    """An item with a field that pages have too."""

    total: int


numbers = union_all(*(select(literal(n).label("n")) for n in range(25))).subquery()
QUERY = PagedQuery(
    select(numbers.c.n).where(numbers.c.n < bindparam("below")).order_by(numbers.c.n.desc()), Page[Number]
)


@router.get("/numbers/{below}")
async def list_numbers(below: int, page: PageDep, connection: ConnectionDep) -> Page[Number]:
    return await QUERY.fetch(connection, page, below=below)


@pytest.fixture(scope="module")
def counter(serve: Callable[..., TestClient]) -> TestClient:
    """An application that lists the numbers below another."""
    return serve(router)


@pytest.mark.parametrize(
    ("path", "items", "total"),
    [
        ("/numbers/25", range(24, 4, -1), 25),
        ("/numbers/25?offset=20", range(4, -1, -1), 25),
        ("/numbers/25?limit=100", range(24, -1, -1), 25),
        ("/numbers/5?limit=2&offset=1", [3, 2], 5),
        ("/numbers/5?offset=5", [], 5),
        ("/numbers/5?offset=9223372036854775807", [], 5),
        ("/numbers/0", [], 0),
        ("/numbers/0?offset=1", [], 0),
    ],
)
def test_a_page_holds_its_part_and_the_total(counter: TestClient, path: str, items: list[int], total: int) -> None:
    page = counter.get(path).json()
    assert [item["n"] for item in page["items"]] == list(items)
    assert page["total"] == total


def test_a_page_repeats_what_was_asked_for(counter: TestClient) -> None:
    page = counter.get("/numbers/9?limit=2&offset=3").json()
    assert (page["limit"], page["offset"]) == (2, 3)


@pytest.mark.parametrize(
    "query",
    ["limit=100000", "limit=101", "limit=0", "limit=ten", "offset=-1", "offset=9223372036854775808", "page=2"],
)
def test_a_page_that_cannot_be_is_refused(counter: TestClient, query: str) -> None:
    answer = counter.get(f"/numbers/5?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]


def test_an_item_may_have_a_total_of_its_own(serve: Callable[..., TestClient]) -> None:
    bills = APIRouter()

    @bills.get("/bills")
    async def list_bills(page: PageDep, connection: ConnectionDep) -> Page[Bill]:
        query = PagedQuery(select(numbers.c.n.label("total")).order_by(numbers.c.n), Page[Bill])
        return await query.fetch(connection, page)

    page = serve(bills).get("/bills?limit=2&offset=5").json()
    assert (page["items"], page["total"]) == ([{"total": 5}, {"total": 6}], 25)
