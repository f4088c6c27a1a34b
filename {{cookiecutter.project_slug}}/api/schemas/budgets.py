"""Budgets, as clients see them."""

from typing import Annotated
from uuid import UUID

from pydantic import MISSING, StringConstraints

from api.schemas.base import Line, RequestBody, ResponseBody
from api.schemas.money import Amount, Money

BudgetName = Annotated[Line, StringConstraints(max_length=80)]


class BudgetCreate(RequestBody):
    """A new budget."""

    name: BudgetName
    limit: Amount


class BudgetUpdate(RequestBody):
    """What to change; a field that is absent stays as it is, and null is refused."""

    name: BudgetName | MISSING = MISSING
    limit: Amount | MISSING = MISSING


class BudgetRead(ResponseBody):
    """A budget."""

    id: UUID
    name: str
    limit: Money


class BudgetSummary(ResponseBody):
    """How much of a budget is spent, and by how many transactions."""

    limit: Money
    spent: Money
    remaining: Money
    transactions: int
