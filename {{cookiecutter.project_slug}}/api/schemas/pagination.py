"""Pagination by limit and offset."""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from api.schemas.base import ResponseBody

Item = TypeVar("Item")

MAX_OFFSET = 2**63 - 1
"""Databases have offsets of 64 bits."""


class PageRequest(BaseModel):
    """The page that a client requests: at most `limit` items, after the first `offset` ones.

    A list can have other query parameters beside it, such as filters; unknown ones are ignored, as always in FastAPI.
    """

    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)


class Page(ResponseBody, Generic[Item]):
    """One page of a list; `total` is the length of the whole list."""

    items: list[Item]
    total: int
    limit: int
    offset: int
