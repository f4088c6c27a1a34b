"""Transactions: what is spent never exceeds the limit of its budget."""

from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from api.models import Base, Budget, Transaction
from api.schemas.pagination import PageRequest
from api.schemas.transactions import TransactionCreate
from api.services.budgets import BudgetService
from api.services.errors import ConflictError, NotFoundError
from api.services.pagination import PagedQuery, PageOf


class TransactionNotFoundError(NotFoundError):
    """The budget has no such transaction."""

    code, title = "transaction-not-found", "No such transaction"


class LimitExceededError(ConflictError):
    """The amount is more than what remains of the budget."""

    code, title = "limit-exceeded", "The budget's limit would be exceeded"


# Built once: building a statement takes a fifth of the CPU time of a request that reads.
_QUERY = select(Transaction).join(Transaction.budget).where(Budget.id == bindparam("budget"))
_TOTAL = select(Budget.transaction_count).where(Budget.id == bindparam("budget"))
# option: auth
_OWN = Budget.owner_id == bindparam("owner")  # other users' budgets are not found
_QUERY, _TOTAL = _QUERY.where(_OWN), _TOTAL.where(_OWN)
# end: auth
_GET = _QUERY.where(Transaction.id == bindparam("transaction"))
_PAGE = PagedQuery(_QUERY.order_by(Transaction.occurred_at.desc(), Transaction.id.desc()), total=_TOTAL)
# Spending works on the tables, which takes 0.8 times the CPU time of the same statements on the models.
_INSERT = insert(Base.metadata.tables["transactions"])
_BUDGETS = Base.metadata.tables["budgets"]
_SPENT = _BUDGETS.c.spent + bindparam("amount")
_SPEND = (
    update(_BUDGETS)
    .where(_BUDGETS.c.id == bindparam("budget"), _BUDGETS.c.limit >= _SPENT)
    .values(spent=_SPENT, transaction_count=_BUDGETS.c.transaction_count + 1)
    .returning(_BUDGETS.c.id)
)
_SPEND = _SPEND.where(_BUDGETS.c.owner_id == bindparam("owner"))  # option: auth


class TransactionService:
    """The business logic of transactions."""

    def __init__(
        self,
        session: AsyncSession,
        owner_id: UUID,  # option: auth
    ) -> None:
        self._session = session
        self._filters: dict[str, UUID] = {}
        self._filters["owner"] = owner_id  # option: auth
        self._budgets = BudgetService(
            session,
            owner_id,  # option: auth
        )

    async def create(self, budget_id: UUID, body: TransactionCreate) -> Transaction:
        """Spend an amount of a budget, or raise `BudgetNotFoundError` or `LimitExceededError`.

        It is one conditional UPDATE, so that concurrent requests can't exceed the limit.
        """
        parameters = {**self._filters, "budget": budget_id, "amount": body.amount}
        if await self._session.scalar(_SPEND, parameters) is None:
            budget = await self._budgets.get(budget_id)
            message = f"{body.amount:.2f} is more than the {budget.remaining:.2f} that is left."
            raise LimitExceededError(message)
        values = {"id": uuid7(), "budget_id": budget_id, **body.model_dump()}
        await self._session.execute(_INSERT, values)
        return Transaction(**values)

    async def get_page(self, budget_id: UUID, page: PageRequest) -> PageOf[Transaction]:
        """Return a page of a budget's transactions, newest first, or raise `BudgetNotFoundError`."""
        transactions = await _PAGE.fetch(self._session, page, **self._filters, budget=budget_id)
        if transactions.total == 0:
            await self._budgets.get(budget_id)
        return transactions

    async def get(self, budget_id: UUID, transaction_id: UUID) -> Transaction:
        """Return a transaction of a budget, or raise `TransactionNotFoundError`."""
        parameters = {**self._filters, "budget": budget_id, "transaction": transaction_id}
        transaction = await self._session.scalar(_GET, parameters)
        if transaction is None:
            message = f"There is no transaction {transaction_id} in this budget."
            raise TransactionNotFoundError(message)
        return transaction

    async def delete(self, budget_id: UUID, transaction_id: UUID) -> None:
        """Delete a transaction, whose amount can then be spent again, or raise a `NotFoundError`."""
        budget = await self._budgets.get(budget_id, for_update=True)
        transaction = await self.get(budget_id, transaction_id)
        budget.spent -= transaction.amount
        budget.transaction_count -= 1
        await self._session.delete(transaction)
