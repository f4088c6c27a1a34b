"""Pagination by limit and offset."""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from api.schemas.base import ResponseBody

Item = TypeVar("Item")


class PageRequest(BaseModel):
    """The page that a client requests: at most `limit` items, after `offset` ones. A route can have filters beside it."""

    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=2**63 - 1)  # databases have offsets of 64 bits


class Page(ResponseBody, Generic[Item]):
    """One page of a list; `total` is the length of the whole list."""

    items: list[Item]
    total: int
    limit: int
    offset: int
