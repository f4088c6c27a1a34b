"""The budget service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.auth import CurrentUserIdDep  # option: auth
from api.dependencies.database import SessionDep
from api.services.budgets import BudgetService


async def get_budget_service(
    owner_id: CurrentUserIdDep,  # first, so that a request without a token takes no connection  # option: auth
    session: SessionDep,
) -> BudgetService:
    """Create the service."""
    return BudgetService(
        session,
        owner_id,  # option: auth
    )


BudgetServiceDep = Annotated[BudgetService, Depends(get_budget_service)]
