"""Budgets: their names are unique, and no limit falls below what is spent."""

from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Row, bindparam, delete, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

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
_SUMMARY = select(
    Budget.limit,
    Budget.spent,
    type_coerce(Budget.limit - Budget.spent, Money).label("remaining"),
    Budget.transaction_count.label("transactions"),
).where(Budget.id == bindparam("budget_id"))
_REMOVE = delete(Budget).where(Budget.id == bindparam("budget_id")).returning(Budget.id)
# option: auth
# What belongs to another user is not there.
_MINE = Budget.owner_id == bindparam("owner")
_ALL, _ONE, _SUMMARY, _REMOVE = _ALL.where(_MINE), _ONE.where(_MINE), _SUMMARY.where(_MINE), _REMOVE.where(_MINE)
# end: auth
_LOCKED = _ONE.add_columns(Budget.spent).with_for_update()
_PAGE = PagedQuery(_ALL, Page[BudgetRead])
_INSERT = insert(Budget).returning(*_COLUMNS)


class BudgetService:
    """The rules of budgets."""

    def __init__(
        self,
        connection: AsyncConnection,
        owner_id: UUID,  # option: auth
    ) -> None:
        self._connection = connection
        self._owner_id = owner_id  # option: auth

    async def create(self, body: BudgetCreate) -> BudgetRead:
        """Add a budget.

        Raises:
            BudgetNameTakenError: where another budget has the name.
        """
        budget = body.model_dump()
        budget["owner_id"] = self._owner_id  # option: auth
        return await self._save(_INSERT, budget)

    async def list(self, page: PageRequest) -> Page[BudgetRead]:
        """Read a page of the budgets, oldest first."""
        return await _PAGE.fetch(
            self._connection,
            page,
            owner=self._owner_id,  # option: auth
        )

    async def get(self, budget_id: UUID) -> BudgetRead:
        """Read a budget.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        row = (await self._connection.execute(_ONE, self._key(budget_id))).one_or_none()
        if row is None:
            raise BudgetNotFoundError(budget_id)
        return BudgetRead.model_validate(row)

    async def summarize(self, budget_id: UUID) -> BudgetSummary:
        """Tell how much of a budget is spent.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        row = (await self._connection.execute(_SUMMARY, self._key(budget_id))).one_or_none()
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
        changes = body.model_dump()
        limit = changes.get("limit", budget.limit)
        if limit < budget.spent:
            message = f"{budget.spent:.2f} is spent already, more than {limit:.2f}."
            raise LimitBelowSpentError(message)
        if not changes:
            return BudgetRead.model_validate(budget)
        return await self._save(update(Budget).where(Budget.id == budget_id).returning(*_COLUMNS), changes)

    async def delete(self, budget_id: UUID) -> None:
        """Remove a budget and its transactions.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        if await self._connection.scalar(_REMOVE, self._key(budget_id)) is None:
            raise BudgetNotFoundError(budget_id)

    async def lock(self, budget_id: UUID) -> Row[*tuple[Any, ...]]:
        """Get a budget that nobody else changes before this transaction ends.

        Raises:
            BudgetNotFoundError: where there is none.
        """
        budget = (await self._connection.execute(_LOCKED, self._key(budget_id))).one_or_none()
        if budget is None:
            raise BudgetNotFoundError(budget_id)
        return budget

    def _key(self, budget_id: UUID) -> dict[str, UUID]:
        """Name a budget to a statement."""
        return {
            "owner": self._owner_id,  # option: auth
            "budget_id": budget_id,
        }

    async def _save(self, statement: Executable, values: dict[str, Any]) -> BudgetRead:
        """Let the database judge the name, the only one of its rules that is not checked before."""
        try:
            row = (await self._connection.execute(statement, values)).one()
        except IntegrityError as error:
            message = f"Another budget is called {values['name']!r}."
            raise BudgetNameTakenError(message) from error
        return BudgetRead.model_validate(row)
