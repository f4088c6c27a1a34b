"""The page of a list that a request is for."""

from typing import Annotated

from fastapi import Query

from api.schemas.pagination import PageRequest

PageDep = Annotated[PageRequest, Query()]
