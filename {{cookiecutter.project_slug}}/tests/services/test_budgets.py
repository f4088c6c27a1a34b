"""The rules of budgets, without HTTP."""

import asyncio
from decimal import Decimal
from uuid import (
    UUID,  # option: auth
    uuid4,
)

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.dependencies.database import Database
from api.models import Budget
from api.schemas.budgets import BudgetCreate, BudgetRead, BudgetUpdate
from api.schemas.pagination import PageRequest
from api.services.budgets import BudgetNameTakenError, BudgetNotFoundError, BudgetService

pytestmark = pytest.mark.anyio


def budgets_in(connection: AsyncConnection) -> BudgetService:
    return BudgetService(
        connection,
        UUID(int=1),  # option: auth
    )


async def make_budget(database: Database, *, name: str = "Food", limit: str = "100.00") -> BudgetRead:
    async with database.writing() as connection:
        return await budgets_in(connection).create(BudgetCreate.model_validate({"name": name, "limit": limit}))


async def test_a_budget_keeps_its_name(database: Database) -> None:
    budget = await make_budget(database, name="Food")
    async with database.writing() as connection:
        change = BudgetUpdate(name="Food")
        assert await budgets_in(connection).update(budget.id, change) == budget


async def test_a_name_is_free_again_when_its_budget_is_gone(database: Database) -> None:
    budget = await make_budget(database, name="Food")
    async with database.writing() as connection:
        await budgets_in(connection).delete(budget.id)
    assert await make_budget(database, name="Food") != budget


async def test_names_differ_by_case(database: Database) -> None:
    await make_budget(database, name="Food")
    await make_budget(database, name="food")


async def test_of_two_that_take_a_name_at_once_one_is_told(database: Database) -> None:
    makers = (make_budget(database, name="Food") for _ in range(2))
    outcomes = await asyncio.gather(*makers, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {BudgetRead, BudgetNameTakenError}


async def test_two_changes_at_once_are_both_kept(database: Database) -> None:
    budget = await make_budget(database)

    async def change(body: BudgetUpdate) -> None:
        async with database.writing() as connection:
            await budgets_in(connection).update(budget.id, body)

    await asyncio.gather(change(BudgetUpdate(name="Bread")), change(BudgetUpdate.model_validate({"limit": "5"})))
    async with database.reading() as connection:
        changed = await budgets_in(connection).get(budget.id)
    assert (changed.name, changed.limit) == ("Bread", Decimal(5))


async def test_a_reader_neither_waits_for_a_writer_nor_sees_its_work_too_early(database: Database) -> None:
    async with database.writing() as writer:
        await budgets_in(writer).create(BudgetCreate.model_validate({"name": "Food", "limit": "1"}))
        async with database.reading() as reader:
            assert (await budgets_in(reader).list(PageRequest())).total == 0


async def test_a_missing_budget_is_told(database: Database) -> None:
    missing = uuid4()
    async with database.writing() as connection:
        budgets = budgets_in(connection)
        for asked in (budgets.get, budgets.summarize, budgets.lock, budgets.delete):
            with pytest.raises(BudgetNotFoundError, match=str(missing)):
                await asked(missing)


async def test_the_database_itself_keeps_what_is_spent_within_the_limit(database: Database) -> None:
    budget = await make_budget(database, limit="1.00")
    for spent in ("1.01", "-0.01"):
        with pytest.raises(IntegrityError, match="ck_budgets_spent_is_within_limit"):
            async with database.writing() as connection:
                await connection.execute(update(Budget).where(Budget.id == budget.id).values(spent=Decimal(spent)))


async def test_the_database_keeps_no_fraction_of_a_cent(database: Database) -> None:
    async with database.writing() as connection:
        with pytest.raises(Exception, match="whole number of cents"):
            await connection.execute(insert(Budget).values(name="Food", limit=Decimal("1.005")))
