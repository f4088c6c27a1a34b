"""Budgets: their names are unique, and no limit falls below what is spent."""

from uuid import UUID

from sqlalchemy import bindparam, select, type_coerce
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.models import Budget
from api.models.base import Money
from api.schemas.budgets import BudgetCreate, BudgetRead, BudgetSummary, BudgetUpdate
from api.schemas.pagination import Page, PageRequest
from api.services.errors import ConflictError, NotFoundError
from api.services.pagination import PagedQuery


class BudgetNotFoundError(NotFoundError):
    """There is no such budget."""

    code = "budget-not-found"
    title = "No such budget"

    def __init__(self, budget_id: UUID) -> None:
        super().__init__(f"There is no budget {budget_id}.")


class BudgetNameTakenError(ConflictError):
    """Another budget has the name."""

    code = "budget-name-taken"
    title = "The name is taken"


class LimitBelowSpentError(ConflictError):
    """More is spent than the new limit allows."""

    code = "limit-below-spent"
    title = "More is spent already"


_COLUMNS = (Budget.id, Budget.name, Budget.limit)
_ALL = select(*_COLUMNS).order_by(Budget.id)
_ONE = select(*_COLUMNS).where(Budget.id == bindparam("budget_id"))
_LOCKED = select(Budget).where(Budget.id == bindparam("budget_id")).with_for_update()
_SUMMARY = select(
    Budget.limit,
    Budget.spent,
    type_coerce(Budget.limit - Budget.spent, Money).label("remaining"),
    Budget.transaction_count.label("transactions"),
).where(Budget.id == bindparam("budget_id"))
# option: auth
# What belongs to another user is not there.
_MINE = Budget.owner_id == bindparam("owner")
_ALL, _ONE, _LOCKED, _SUMMARY = _ALL.where(_MINE), _ONE.where(_MINE), _LOCKED.where(_MINE), _SUMMARY.where(_MINE)
# end: auth
_PAGE = PagedQuery(_ALL, Page[BudgetRead])


class BudgetService:
    """The rules of budgets."""

    def __init__(
        self,
        session: AsyncSession,
        owner_id: UUID,  # option: auth
    ) -> None:
        self._session = session
        self._owner_id = owner_id  # option: auth

    async def create(self, body: BudgetCreate) -> BudgetRead:
        """Add a budget.

        Raises:
            BudgetNameTakenError: where another budget has the name.
        """
        budget = Budget(
            owner_id=self._owner_id,  # option: auth
            **body.model_dump(),
        )
        self._session.add(budget)
        return await self._save(budget)

    async def list(self, page: PageRequest) -> Page[BudgetRead]:
        """Read a page of the budgets, oldest first."""
        return await _PAGE.fetch(
            self._session,
            page,
            owner=self._owner_id,  # option: auth
        )

    async def get(self, budget_id: UUID) -> BudgetRead:
        """Read a budget.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        row = (await self._session.execute(_ONE, self._key(budget_id))).one_or_none()
        if row is None:
            raise BudgetNotFoundError(budget_id)
        return BudgetRead.model_validate(row)

    async def summarize(self, budget_id: UUID) -> BudgetSummary:
        """Tell how much of a budget is spent.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        row = (await self._session.execute(_SUMMARY, self._key(budget_id))).one_or_none()
        if row is None:
            raise BudgetNotFoundError(budget_id)
        return BudgetSummary.model_validate(row)

    async def update(self, budget_id: UUID, body: BudgetUpdate) -> BudgetRead:
        """Change what the body names.

        Raises:
            BudgetNotFoundError: where there is none.
            BudgetNameTakenError: where another budget has the name.
            LimitBelowSpentError: where more is spent already.
        """
        budget = await self.lock(budget_id)
        for field, value in body.model_dump().items():
            setattr(budget, field, value)
        if budget.limit < budget.spent:
            message = f"{budget.spent:.2f} is spent already, more than {budget.limit:.2f}."
            raise LimitBelowSpentError(message)
        return await self._save(budget)

    async def delete(self, budget_id: UUID) -> None:
        """Remove a budget and its transactions.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        await self._session.delete(await self.lock(budget_id))

    async def lock(self, budget_id: UUID) -> Budget:
        """Get a budget that nobody else changes before this transaction ends.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        budget = await self._session.scalar(_LOCKED, self._key(budget_id))
        if budget is None:
            raise BudgetNotFoundError(budget_id)
        return budget

    def _key(self, budget_id: UUID) -> dict[str, UUID]:
        """Name a budget to a statement."""
        return {
            "owner": self._owner_id,  # option: auth
            "budget_id": budget_id,
        }

    async def _save(self, budget: Budget) -> BudgetRead:
        """Let the database judge the name, the only one of its rules that is not checked before."""
        name = budget.name
        try:
            await self._session.flush()
        except IntegrityError as error:
            message = f"Another budget is called {name!r}."
            raise BudgetNameTakenError(message) from error
        return BudgetRead.model_validate(budget)
