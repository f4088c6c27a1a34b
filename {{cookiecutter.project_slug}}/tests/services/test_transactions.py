"""The rules of spending, without HTTP."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from api.dependencies.database import Database
from api.schemas.budgets import BudgetCreate, BudgetRead, BudgetSummary, BudgetUpdate
from api.schemas.pagination import PageRequest
from api.schemas.transactions import TransactionCreate, TransactionRead
from api.services.budgets import BudgetNotFoundError, BudgetService, LimitBelowSpentError
from api.services.transactions import LimitExceededError, TransactionNotFoundError, TransactionService

pytestmark = pytest.mark.anyio


def budgets_in(connection: AsyncConnection) -> BudgetService:
    return BudgetService(
        connection,
        UUID(int=1),  # option: auth
    )


def transactions_in(connection: AsyncConnection) -> TransactionService:
    return TransactionService(
        connection,
        UUID(int=1),  # option: auth
    )


async def make_budget(database: Database, *, limit: str = "100.00") -> UUID:
    async with database.writing() as connection:
        budget = await budgets_in(connection).create(BudgetCreate.model_validate({"name": "Food", "limit": limit}))
    return budget.id


async def summarize(database: Database, budget_id: UUID) -> BudgetSummary:
    async with database.reading() as connection:
        return await budgets_in(connection).summarize(budget_id)


async def spend(database: Database, budget_id: UUID, amount: str = "1.00", **fields: object) -> TransactionRead:
    body = TransactionCreate.model_validate({"amount": amount, "description": "Bread", **fields})
    async with database.writing() as connection:
        return await transactions_in(connection).create(budget_id, body)


async def remove(database: Database, transaction: TransactionRead) -> None:
    async with database.writing() as connection:
        await transactions_in(connection).delete(transaction.budget_id, transaction.id)


async def at_once(database: Database, *actions: Awaitable[object]) -> list[object]:
    """Begin with open connections, so that the actions do meet."""
    await asyncio.gather(*(_connect(database) for _ in actions))
    return await asyncio.gather(*actions, return_exceptions=True)


async def _connect(database: Database) -> None:
    async with database.reading():
        await asyncio.sleep(0.01)


async def test_what_is_spent_is_the_sum_of_the_transactions(database: Database) -> None:
    budget_id = await make_budget(database)
    amounts = [f"0.{cents:02}" for cents in range(1, 12)]
    for amount in amounts:
        await spend(database, budget_id, amount)
    summary = await summarize(database, budget_id)
    assert summary.spent == sum(map(Decimal, amounts))
    assert summary.spent + summary.remaining == summary.limit
    assert summary.transactions == len(amounts)


async def test_a_refused_transaction_leaves_no_trace(database: Database) -> None:
    budget_id = await make_budget(database, limit="1.00")
    with pytest.raises(LimitExceededError, match=r"1\.01 is more than the 1\.00 that is left"):
        await spend(database, budget_id, "1.01")
    summary = await summarize(database, budget_id)
    assert (summary.spent, summary.transactions) == (Decimal(0), 0)


async def test_however_many_spend_at_once_the_limit_holds(database: Database) -> None:
    budget_id = await make_budget(database, limit="1.00")
    outcomes = await at_once(database, *(spend(database, budget_id, "0.25") for _ in range(10)))
    assert Counter(map(type, outcomes)) == {TransactionRead: 4, LimitExceededError: 6}
    summary = await summarize(database, budget_id)
    assert (summary.spent, summary.transactions) == (Decimal(1), 4)


async def test_an_amount_is_given_back_once(database: Database) -> None:
    budget_id = await make_budget(database)
    await spend(database, budget_id, "1.00")
    transaction = await spend(database, budget_id, "2.00")
    outcomes = await at_once(database, *(remove(database, transaction) for _ in range(5)))
    assert Counter(map(type, outcomes)) == {type(None): 1, TransactionNotFoundError: 4}
    summary = await summarize(database, budget_id)
    assert (summary.spent, summary.transactions) == (Decimal(1), 1)


async def test_of_spending_and_lowering_the_limit_at_once_one_is_refused(database: Database) -> None:
    budget_id = await make_budget(database, limit="1.00")

    async def lower() -> BudgetRead:
        async with database.writing() as connection:
            return await budgets_in(connection).update(budget_id, BudgetUpdate.model_validate({"limit": "0.50"}))

    outcomes = await at_once(database, spend(database, budget_id, "0.60"), lower())
    assert tuple(map(type, outcomes)) in {(TransactionRead, LimitBelowSpentError), (LimitExceededError, BudgetRead)}


async def test_a_budget_that_goes_while_others_spend_leaves_nothing(database: Database) -> None:
    budget_id = await make_budget(database)

    async def give_up() -> None:
        async with database.writing() as connection:
            await budgets_in(connection).delete(budget_id)

    spending = [spend(database, budget_id) for _ in range(10)]
    outcomes = await at_once(database, *spending[:5], give_up(), *spending[5:])
    assert {type(outcome) for outcome in outcomes} <= {TransactionRead, BudgetNotFoundError, type(None)}
    async with database.reading() as connection:
        with pytest.raises(BudgetNotFoundError):
            await transactions_in(connection).list(budget_id, PageRequest())


async def test_a_moment_is_kept_to_the_microsecond_and_in_utc(database: Database) -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-8)))
    transaction = await spend(database, await make_budget(database), occurred_at=moment.isoformat())
    async with database.reading() as connection:
        kept = await transactions_in(connection).get(transaction.budget_id, transaction.id)
    assert kept == transaction
    assert kept.occurred_at == moment
    assert kept.occurred_at.tzinfo == UTC


async def test_a_missing_transaction_is_told(database: Database) -> None:
    budget_id, missing = await make_budget(database), uuid4()
    async with database.writing() as connection:
        transactions = transactions_in(connection)
        for asked in (transactions.get, transactions.delete):
            with pytest.raises(TransactionNotFoundError, match=str(missing)):
                await asked(budget_id, missing)
