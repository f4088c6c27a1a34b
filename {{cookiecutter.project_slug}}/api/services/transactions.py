"""Transactions: what is spent never exceeds the limit of its budget."""

from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.models import Budget, Transaction
from api.schemas.pagination import Page, PageRequest
from api.schemas.transactions import TransactionCreate, TransactionRead
from api.services.budgets import BudgetService
from api.services.errors import ConflictError, NotFoundError
from api.services.pagination import PagedQuery


class TransactionNotFoundError(NotFoundError):
    """There is no such transaction in this budget."""

    code = "transaction-not-found"
    title = "No such transaction"

    def __init__(self, transaction_id: UUID) -> None:
        super().__init__(f"There is no transaction {transaction_id} in this budget.")


class LimitExceededError(ConflictError):
    """The budget has less left than the amount."""

    code = "limit-exceeded"
    title = "The budget's limit would be exceeded"


_COLUMNS = (
    Transaction.id,
    Transaction.budget_id,
    Transaction.amount,
    Transaction.description,
    Transaction.occurred_at,
)
_OF_BUDGET = select(*_COLUMNS).where(Transaction.budget_id == bindparam("budget_id"))
_OF_BUDGET = _OF_BUDGET.join(Budget).where(Budget.owner_id == bindparam("owner"))  # option: auth
_ONE = _OF_BUDGET.where(Transaction.id == bindparam("transaction_id"))
_TOTAL = select(Budget.transaction_count).where(Budget.id == bindparam("budget_id"))
_TOTAL = _TOTAL.where(Budget.owner_id == bindparam("owner"))  # option: auth
_NEWEST_FIRST = _OF_BUDGET.order_by(Transaction.occurred_at.desc(), Transaction.id.desc())
_PAGE = PagedQuery(_NEWEST_FIRST, Page[TransactionRead], total=_TOTAL)
_SPEND = (
    update(Budget)
    .where(Budget.id == bindparam("budget_id"), Budget.spent + bindparam("amount") <= Budget.limit)
    .values(spent=Budget.spent + bindparam("amount"), transaction_count=Budget.transaction_count + 1)
    .returning(Budget.id)
)
_SPEND = _SPEND.where(Budget.owner_id == bindparam("owner"))  # option: auth
_INSERT = insert(Transaction).returning(*_COLUMNS)
_REMOVE = (
    delete(Transaction)
    .where(Transaction.budget_id == bindparam("budget_id"), Transaction.id == bindparam("transaction_id"))
    .returning(Transaction.amount)
)
_GIVE_BACK = (
    update(Budget)
    .where(Budget.id == bindparam("budget_id"))
    .values(spent=Budget.spent - bindparam("amount"), transaction_count=Budget.transaction_count - 1)
)


class TransactionService:
    """The rules of spending."""

    def __init__(
        self,
        connection: AsyncConnection,
        owner_id: UUID,  # option: auth
    ) -> None:
        self._connection = connection
        self._owner_id = owner_id  # option: auth
        self._budgets = BudgetService(
            connection,
            owner_id,  # option: auth
        )

    async def create(self, budget_id: UUID, body: TransactionCreate) -> TransactionRead:
        """Spend money of a budget.

        Raises:
            BudgetNotFoundError: where there is no such budget.
            LimitExceededError: where less is left than the amount.
        """
        spending = {
            "owner": self._owner_id,  # option: auth
            "budget_id": budget_id,
            "amount": body.amount,
        }
        if await self._connection.scalar(_SPEND, spending) is None:
            budget = await self._budgets.summarize(budget_id)
            message = f"{body.amount:.2f} is more than the {budget.remaining:.2f} that is left."
            raise LimitExceededError(message)
        transaction = {"budget_id": budget_id, **body.model_dump()}
        return TransactionRead.model_validate((await self._connection.execute(_INSERT, transaction)).one())

    async def list(self, budget_id: UUID, page: PageRequest) -> Page[TransactionRead]:
        """Read a page of a budget's transactions, newest first.

        Raises:
            BudgetNotFoundError: where there is no such budget.
        """
        transactions = await _PAGE.fetch(
            self._connection,
            page,
            owner=self._owner_id,  # option: auth
            budget_id=budget_id,
        )
        if transactions.total == 0:
            await self._budgets.get(budget_id)
        return transactions

    async def get(self, budget_id: UUID, transaction_id: UUID) -> TransactionRead:
        """Read a transaction.

        Raises:
            TransactionNotFoundError: where the budget has none such.
        """
        keys = {
            "owner": self._owner_id,  # option: auth
            "budget_id": budget_id,
            "transaction_id": transaction_id,
        }
        row = (await self._connection.execute(_ONE, keys)).one_or_none()
        if row is None:
            raise TransactionNotFoundError(transaction_id)
        return TransactionRead.model_validate(row)

    async def delete(self, budget_id: UUID, transaction_id: UUID) -> None:
        """Take a transaction back; its amount can be spent again.

        Raises:
            BudgetNotFoundError: where there is no such budget.
            TransactionNotFoundError: where the budget has none such.
        """
        await self._budgets.lock(budget_id)
        keys = {"budget_id": budget_id, "transaction_id": transaction_id}
        amount = await self._connection.scalar(_REMOVE, keys)
        if amount is None:
            raise TransactionNotFoundError(transaction_id)
        await self._connection.execute(_GIVE_BACK, {"budget_id": budget_id, "amount": amount})
