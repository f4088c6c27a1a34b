"""The budget service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.auth import CurrentUserIdDep  # option: auth
from api.dependencies.database import ConnectionDep
from api.services.budgets import BudgetService


async def get_budget_service(
    owner_id: CurrentUserIdDep,  # asked for first: a stranger takes nobody's turn  # option: auth
    connection: ConnectionDep,
) -> BudgetService:
    """Make the service."""
    return BudgetService(
        connection,
        owner_id,  # option: auth
    )


BudgetServiceDep = Annotated[BudgetService, Depends(get_budget_service)]
