"""The business logic of transactions, without HTTP."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies.database import Database
from api.models import Budget, Transaction
from api.schemas.budgets import BudgetCreate, BudgetUpdate
from api.schemas.pagination import PageRequest
from api.schemas.transactions import TransactionCreate
from api.services.budgets import BudgetNotFoundError, BudgetService
from api.services.transactions import LimitExceededError, TransactionNotFoundError, TransactionService

pytestmark = pytest.mark.anyio


def budgets_in(session: AsyncSession) -> BudgetService:
    return BudgetService(
        session,
        UUID(int=1),  # option: auth
    )


def transactions_in(session: AsyncSession) -> TransactionService:
    return TransactionService(
        session,
        UUID(int=1),  # option: auth
    )


async def make_budget(database: Database, *, limit: str = "100.00") -> UUID:
    async with database.session() as session:
        budget = await budgets_in(session).create(BudgetCreate.model_validate({"name": "Food", "limit": limit}))
    return budget.id


async def read_budget(database: Database, budget_id: UUID) -> Budget:
    async with database.session(readonly=True) as session:
        return await budgets_in(session).get(budget_id)


async def spend(database: Database, budget_id: UUID, amount: str = "1.00", **fields: object) -> Transaction:
    body = TransactionCreate.model_validate({"amount": amount, "description": "Bread", **fields})
    async with database.session() as session:
        return await transactions_in(session).create(budget_id, body)


async def remove(database: Database, transaction: Transaction) -> None:
    async with database.session() as session:
        await transactions_in(session).delete(transaction.budget_id, transaction.id)


async def at_once(database: Database, *actions: Awaitable[object]) -> list[object]:
    """Run the actions concurrently, with connections that are open already."""
    await asyncio.gather(*(connect(database) for _ in actions))
    return await asyncio.gather(*actions, return_exceptions=True)


async def connect(database: Database) -> None:
    async with database.session(readonly=True) as session:
        await session.connection()
        await asyncio.sleep(0.01)


async def test_what_is_spent_is_the_sum_of_the_transactions(database: Database) -> None:
    budget_id = await make_budget(database)
    amounts = [f"0.{cents:02}" for cents in range(1, 12)]
    for amount in amounts:
        await spend(database, budget_id, amount)
    budget = await read_budget(database, budget_id)
    assert budget.spent == sum(map(Decimal, amounts))
    assert budget.spent + budget.remaining == budget.limit
    assert budget.transaction_count == len(amounts)


async def test_a_refused_transaction_changes_nothing(database: Database) -> None:
    budget_id = await make_budget(database, limit="1.00")
    with pytest.raises(LimitExceededError, match=r"1\.01 is more than the 1\.00 that is left"):
        await spend(database, budget_id, "1.01")
    budget = await read_budget(database, budget_id)
    assert (budget.spent, budget.transaction_count) == (Decimal(0), 0)


async def test_concurrent_transactions_do_not_exceed_the_limit(database: Database) -> None:
    budget_id = await make_budget(database, limit="1.00")
    outcomes = await at_once(database, *(spend(database, budget_id, "0.25") for _ in range(10)))
    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"Transaction": 4, "LimitExceededError": 6}
    budget = await read_budget(database, budget_id)
    assert (budget.spent, budget.transaction_count) == (Decimal(1), 4)


async def test_an_amount_can_be_spent_again_once(database: Database) -> None:
    budget_id = await make_budget(database)
    await spend(database, budget_id, "1.00")
    transaction = await spend(database, budget_id, "2.00")
    outcomes = await at_once(database, *(remove(database, transaction) for _ in range(5)))
    assert Counter(map(type, outcomes)) == {type(None): 1, TransactionNotFoundError: 4}
    budget = await read_budget(database, budget_id)
    assert (budget.spent, budget.transaction_count) == (Decimal(1), 1)


async def test_one_of_spending_and_lowering_the_limit_concurrently_is_refused(database: Database) -> None:
    budget_id = await make_budget(database, limit="1.00")

    async def lower() -> Budget:
        async with database.session() as session:
            return await budgets_in(session).update(budget_id, BudgetUpdate.model_validate({"limit": "0.50"}))

    outcomes = await at_once(database, spend(database, budget_id, "0.60"), lower())
    assert [type(outcome).__name__ for outcome in outcomes] in (
        ["Transaction", "LimitBelowSpentError"],
        ["LimitExceededError", "Budget"],
    )


async def test_a_budget_that_is_deleted_while_others_spend_leaves_nothing(database: Database) -> None:
    budget_id = await make_budget(database)

    async def delete_budget() -> None:
        async with database.session() as session:
            await budgets_in(session).delete(budget_id)

    spending = [spend(database, budget_id) for _ in range(10)]
    outcomes = await at_once(database, *spending[:5], delete_budget(), *spending[5:])
    assert {type(outcome) for outcome in outcomes} <= {Transaction, BudgetNotFoundError, type(None)}
    async with database.session(readonly=True) as session:
        with pytest.raises(BudgetNotFoundError):
            await transactions_in(session).get_page(budget_id, PageRequest())


async def test_a_datetime_is_stored_to_the_microsecond_and_in_utc(database: Database) -> None:
    value = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-8)))
    transaction = await spend(database, await make_budget(database), occurred_at=value.isoformat())
    async with database.session(readonly=True) as session:
        kept = await transactions_in(session).get(transaction.budget_id, transaction.id)
    assert (kept.id, kept.amount, kept.description) == (transaction.id, transaction.amount, transaction.description)
    assert kept.occurred_at == value
    assert kept.occurred_at.tzinfo == UTC


async def test_related_entities_are_only_loaded_on_request(database: Database) -> None:
    budget_id = await make_budget(database)
    created = await spend(database, budget_id)
    async with database.session(readonly=True) as session:
        transaction = await transactions_in(session).get(budget_id, created.id)
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            assert transaction.budget
        budget = await budgets_in(session).get(budget_id)
        assert (await session.scalars(budget.transactions.select())).all() == [transaction]


async def test_a_missing_transaction_is_reported(database: Database) -> None:
    budget_id, missing = await make_budget(database), uuid4()
    async with database.session() as session:
        transactions = transactions_in(session)
        for method in (transactions.get, transactions.delete):
            with pytest.raises(TransactionNotFoundError, match=str(missing)):
                await method(budget_id, missing)
