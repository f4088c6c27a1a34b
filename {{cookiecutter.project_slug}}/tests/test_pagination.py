"""Pagination: pages of a bounded size, in a stable order, with the total."""

from collections.abc import Callable

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from sqlalchemy import bindparam, literal, select, union_all
from sqlalchemy.orm import Mapped, registry

from api.dependencies.database import SessionDep
from api.dependencies.pagination import PageDep
from api.schemas.base import ResponseBody
from api.schemas.pagination import Page
from api.services.pagination import PagedQuery, PageOf

router = APIRouter()


class Number(ResponseBody):
    """An item of a list."""

    n: int


NUMBERS = union_all(*(select(literal(n).label("n")) for n in range(25))).subquery()


class NumberRow:
    """An entity."""

    n: Mapped[int]


registry().map_imperatively(NumberRow, NUMBERS, primary_key=[NUMBERS.c.n])

QUERY = PagedQuery(select(NumberRow).where(NumberRow.n < bindparam("below")).order_by(NumberRow.n.desc()))


@router.get("/found", response_model=Page[Number])
async def find_numbers(page: PageDep, session: SessionDep, q: str | None = None) -> PageOf[NumberRow]:
    return await QUERY.fetch(session, page, below=25 if q is None else int(q))


@router.get("/numbers/{below}", response_model=Page[Number])
async def list_numbers(below: int, page: PageDep, session: SessionDep) -> PageOf[NumberRow]:
    return await QUERY.fetch(session, page, below=below)


@pytest.fixture(scope="module")
def counter(serve: Callable[..., TestClient]) -> TestClient:
    """An application that lists the numbers below a limit."""
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
def test_a_page_has_its_items_and_the_total(counter: TestClient, path: str, items: list[int], total: int) -> None:
    page = counter.get(path).json()
    assert [item["n"] for item in page["items"]] == list(items)
    assert page["total"] == total


def test_a_page_has_the_limit_and_offset_of_the_request(counter: TestClient) -> None:
    page = counter.get("/numbers/9?limit=2&offset=3").json()
    assert (page["limit"], page["offset"]) == (2, 3)


@pytest.mark.parametrize(("query", "total"), [("", 25), ("?q=3", 3), ("?limit=2&q=3", 3), ("?q=3&page=2", 3)])
def test_a_list_can_have_filters_and_unknown_parameters_beside_the_page(
    counter: TestClient, query: str, total: int
) -> None:
    response = counter.get(f"/found{query}")
    assert response.status_code == 200
    assert response.json()["total"] == total


def test_an_invalid_page_beside_a_filter_is_refused(counter: TestClient) -> None:
    response = counter.get("/found?q=3&limit=100000")
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["errors"]] == [["query", "limit"]]


@pytest.mark.parametrize(
    "query",
    ["limit=100000", "limit=101", "limit=0", "limit=ten", "offset=-1", "offset=9223372036854775808"],
)
def test_an_invalid_page_is_refused(counter: TestClient, query: str) -> None:
    response = counter.get(f"/numbers/5?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]
