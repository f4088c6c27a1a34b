"""Pages out of a query."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.schemas.pagination import Page, PageRequest

Item = TypeVar("Item", bound=BaseModel)


class PagedQuery(Generic[Item]):
    """A query whose rows, in its order, are given out in pages; built once, so that a request builds no SQL.

    The rows are counted, which takes the longer the more there are, unless `total` reads their number.
    """

    def __init__(
        self, rows: Select[*tuple[Any, ...]], shape: type[Page[Item]], *, total: Select[int] | None = None
    ) -> None:
        self._shape = shape
        self._total = select(func.count()).select_from(rows.order_by(None).subquery()) if total is None else total
        self._page = (
            rows.add_columns(self._total.scalar_subquery()).limit(bindparam("limit")).offset(bindparam("offset"))
        )

    async def fetch(self, connection: AsyncConnection, page: PageRequest, **parameters: object) -> Page[Item]:
        """Read one page and the total in one statement, in two where the page lies behind the end."""
        rows = (await connection.execute(self._page, {**parameters, **page.model_dump()})).all()
        if rows:
            total = rows[0][-1]
        elif page.offset:
            total = await connection.scalar(self._total, parameters) or 0
        else:
            total = 0
        return self._shape.model_validate({"items": rows, "total": total, **page.model_dump()})
