"""Budgets: their names are unique, and a limit is never below what is spent."""

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.models import Budget
from api.schemas.budgets import BudgetCreate, BudgetUpdate
from api.schemas.pagination import PageRequest
from api.services.constraints import translate_violations
from api.services.errors import ConflictError, NotFoundError
from api.services.pagination import PagedQuery, PageOf
from api.services.users import UserNotFoundError  # option: auth


class BudgetNotFoundError(NotFoundError):
    """The budget does not exist."""

    code = "budget-not-found"
    title = "No such budget"

    def __init__(self, budget_id: UUID) -> None:
        super().__init__(f"There is no budget {budget_id}.")


class BudgetNameTakenError(ConflictError):
    """Another budget has the name."""

    code = "budget-name-taken"
    title = "The name is taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"Another budget is called {name!r}.")


class LimitBelowSpentError(ConflictError):
    """More is spent than the new limit allows."""

    code = "limit-below-spent"
    title = "More is spent already"


# Created once: building a statement takes a fifth of the CPU time of a request that reads.
_QUERY = select(Budget)
_QUERY = _QUERY.where(Budget.owner_id == bindparam("owner_id"))  # other users' budgets are not found  # option: auth
_GET = _QUERY.where(Budget.id == bindparam("budget_id"))
_GET_FOR_UPDATE = _GET.with_for_update().execution_options(populate_existing=True)
_PAGE = PagedQuery(_QUERY.order_by(Budget.id))


class BudgetService:
    """The business logic of budgets."""

    def __init__(
        self,
        session: AsyncSession,
        owner_id: UUID,  # option: auth
    ) -> None:
        self._session = session
        self._owner_id = owner_id  # option: auth

    async def create(self, body: BudgetCreate) -> Budget:
        """Add a budget.

        Raises:
            BudgetNameTakenError: if another budget has the name.
        """
        budget = Budget(**body.model_dump())
        budget.owner_id = self._owner_id  # option: auth
        self._session.add(budget)
        await self._flush(budget)
        return budget

    async def get_page(self, page: PageRequest) -> PageOf[Budget]:
        """Read a page of the budgets, oldest first."""
        return await _PAGE.fetch(
            self._session,
            page,
            owner_id=self._owner_id,  # option: auth
        )

    async def get(self, budget_id: UUID, *, for_update: bool = False) -> Budget:
        """Read a budget; `for_update` locks it until the transaction ends.

        Raises:
            BudgetNotFoundError: if there is none.
        """
        parameters = {
            "owner_id": self._owner_id,  # option: auth
            "budget_id": budget_id,
        }
        budget = await self._session.scalar(_GET_FOR_UPDATE if for_update else _GET, parameters)
        if budget is None:
            raise BudgetNotFoundError(budget_id)
        return budget

    async def update(self, budget_id: UUID, body: BudgetUpdate) -> Budget:
        """Change the fields that are present in `body`.

        Raises:
            BudgetNotFoundError: if there is none.
            BudgetNameTakenError: if another budget has the name.
            LimitBelowSpentError: if more is spent already.
        """
        budget = await self.get(budget_id, for_update=True)
        for field, value in body.model_dump().items():
            setattr(budget, field, value)
        if budget.limit < budget.spent:
            message = f"{budget.spent:.2f} is spent already, more than {budget.limit:.2f}."
            raise LimitBelowSpentError(message)
        await self._flush(budget)
        return budget

    async def delete(self, budget_id: UUID) -> None:
        """Delete a budget and its transactions.

        Raises:
            BudgetNotFoundError: if there is none.
        """
        await self._session.delete(await self.get(budget_id, for_update=True))

    async def _flush(self, budget: Budget) -> None:
        """Write the changes; the database checks what is unique, so that concurrent requests can't violate it."""
        errors = {
            "uq_budgets_name": BudgetNameTakenError(budget.name),
            "fk_budgets_owner_id_users": UserNotFoundError(budget.owner_id),  # option: auth
        }
        with translate_violations(errors):
            await self._session.flush()
