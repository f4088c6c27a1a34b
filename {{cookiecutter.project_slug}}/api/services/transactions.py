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

    code = "transaction-not-found"
    title = "No such transaction"

    def __init__(self, transaction_id: UUID) -> None:
        super().__init__(f"There is no transaction {transaction_id} in this budget.")


class LimitExceededError(ConflictError):
    """The amount is more than what remains of the budget."""

    code = "limit-exceeded"
    title = "The budget's limit would be exceeded"


# Created once: building a statement takes a fifth of the CPU time of a request that reads.
_IN_BUDGET = Budget.id == bindparam("budget")
_IN_BUDGET &= Budget.owner_id == bindparam("owner")  # option: auth
_QUERY = select(Transaction).join(Transaction.budget).where(_IN_BUDGET)
_GET = _QUERY.where(Transaction.id == bindparam("transaction"))
_PAGE = PagedQuery(
    _QUERY.order_by(Transaction.occurred_at.desc(), Transaction.id.desc()),
    total=select(Budget.transaction_count).where(_IN_BUDGET),
)
_SPEND = (
    update(Budget)
    .where(_IN_BUDGET, Budget.spent + bindparam("amount") <= Budget.limit)
    .values(spent=Budget.spent + bindparam("amount"), transaction_count=Budget.transaction_count + 1)
    .returning(Budget.id)
    .execution_options(synchronize_session=False)
)
_INSERT = insert(Base.metadata.tables["transactions"])


class TransactionService:
    """The business logic of transactions."""

    def __init__(
        self,
        session: AsyncSession,
        owner_id: UUID,  # option: auth
    ) -> None:
        self._session = session
        self._owner_id = owner_id  # option: auth
        self._budgets = BudgetService(
            session,
            owner_id,  # option: auth
        )

    async def create(self, budget_id: UUID, body: TransactionCreate) -> Transaction:
        """Spend an amount of a budget.

        One conditional UPDATE checks the limit and spends, so that concurrent requests can't exceed it. The row is
        inserted without the unit of work of the session, which takes three times the CPU time.

        Raises:
            BudgetNotFoundError: if there is no such budget.
            LimitExceededError: if less than the amount remains.
        """
        parameters = {**self._parameters(budget_id), "amount": body.amount}
        if await self._session.scalar(_SPEND, parameters) is None:
            budget = await self._budgets.get(budget_id)
            message = f"{body.amount:.2f} is more than the {budget.remaining:.2f} that is left."
            raise LimitExceededError(message)
        values = {"id": uuid7(), "budget_id": budget_id, **body.model_dump()}
        await self._session.execute(_INSERT, values)
        return Transaction(**values)

    async def get_page(self, budget_id: UUID, page: PageRequest) -> PageOf[Transaction]:
        """Read a page of a budget's transactions, newest first.

        Raises:
            BudgetNotFoundError: if there is no such budget.
        """
        transactions = await _PAGE.fetch(self._session, page, **self._parameters(budget_id))
        if transactions.total == 0:
            await self._budgets.get(budget_id)
        return transactions

    async def get(self, budget_id: UUID, transaction_id: UUID) -> Transaction:
        """Read a transaction.

        Raises:
            TransactionNotFoundError: if the budget has no such transaction.
        """
        parameters = {**self._parameters(budget_id), "transaction": transaction_id}
        transaction = await self._session.scalar(_GET, parameters)
        if transaction is None:
            raise TransactionNotFoundError(transaction_id)
        return transaction

    async def delete(self, budget_id: UUID, transaction_id: UUID) -> None:
        """Delete a transaction; its amount can be spent again.

        Raises:
            BudgetNotFoundError: if there is no such budget.
            TransactionNotFoundError: if the budget has no such transaction.
        """
        budget = await self._budgets.get(budget_id, for_update=True)
        transaction = await self.get(budget_id, transaction_id)
        budget.spent -= transaction.amount
        budget.transaction_count -= 1
        await self._session.delete(transaction)

    def _parameters(self, budget_id: UUID) -> dict[str, UUID]:
        return {
            "owner": self._owner_id,  # option: auth
            "budget": budget_id,
        }
