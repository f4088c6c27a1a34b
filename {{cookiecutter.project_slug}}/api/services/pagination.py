"""Pages of a query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.schemas.pagination import PageRequest

Item = TypeVar("Item")


@dataclass(frozen=True)
class PageOf(Generic[Item]):
    """One page of a list of entities; `total` is the length of the whole list."""

    items: Sequence[Item]
    total: int
    limit: int
    offset: int


class PagedQuery(Generic[Item]):
    """A query that is read in pages; create it once, at module level, since building SQL takes time.

    The rows are counted for each page, which takes longer the more there are, unless `total` selects their number.
    """

    def __init__(self, query: Select[Item], *, total: Select[int] | None = None) -> None:
        self._total = select(func.count()).select_from(query.order_by(None).subquery()) if total is None else total
        self._page = (
            query.add_columns(self._total.scalar_subquery()).limit(bindparam("limit")).offset(bindparam("offset"))
        )

    async def fetch(self, session: AsyncSession, page: PageRequest, **parameters: object) -> PageOf[Item]:
        """Read a page and the total in one statement, or in two if the page is empty."""
        rows = (await session.execute(self._page, {**parameters, **page.model_dump()})).all()
        total = rows[0][-1] if rows else await session.scalar(self._total, parameters) or 0
        return PageOf([row[0] for row in rows], total, page.limit, page.offset)
