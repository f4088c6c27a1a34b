"""Request and response bodies of budgets."""

from typing import Annotated
from uuid import UUID

from pydantic import MISSING, Field

from api.schemas.base import RequestBody, ResponseBody, SingleLineStr
from api.schemas.types import Amount, Money

BudgetName = Annotated[SingleLineStr, Field(max_length=80, examples=["Household"])]


class BudgetCreate(RequestBody):
    """A new budget."""

    name: BudgetName
    limit: Amount = Field(examples=["500.00"])


class BudgetUpdate(RequestBody):
    """The fields to change; one that is absent stays as it is, and null is refused."""

    name: BudgetName | MISSING = MISSING
    limit: Amount | MISSING = Field(default=MISSING, examples=["500.00"])


class BudgetRead(ResponseBody):
    """A budget."""

    id: UUID
    name: str = Field(examples=["Household"])
    limit: Money


class BudgetSummary(ResponseBody):
    """How much of a budget is spent, and the number of its transactions."""

    limit: Money
    spent: Money
    remaining: Money
    transactions: int = Field(validation_alias="transaction_count")
