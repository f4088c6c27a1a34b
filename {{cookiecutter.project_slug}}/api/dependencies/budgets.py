"""The budget service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.database import SessionDep
from api.services.budgets import BudgetService


def get_budget_service(session: SessionDep) -> BudgetService:
    """Make the service."""
    return BudgetService(session)


BudgetServiceDep = Annotated[BudgetService, Depends(get_budget_service)]
