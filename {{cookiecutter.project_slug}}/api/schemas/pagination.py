"""Lists come in pages of a bounded size."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")

LARGEST_OFFSET = 2**63 - 1
"""The databases count rows in 64 bits."""


class PageRequest(BaseModel):
    """The part of a list that is asked for, in items."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=LARGEST_OFFSET)


class Page(BaseModel, Generic[Item]):
    """A part of a list, and how long the whole list is."""

    items: list[Item]
    total: int
    limit: int
    offset: int
