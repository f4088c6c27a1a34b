"""The business logic of budgets, without HTTP."""

import asyncio
from decimal import Decimal
from uuid import (
    UUID,  # option: auth
    uuid4,
)

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies.database import Database
from api.models import Budget
from api.schemas.budgets import BudgetCreate, BudgetUpdate
from api.schemas.pagination import PageRequest
from api.services.budgets import BudgetNotFoundError, BudgetService
from api.services.users import UserNotFoundError  # option: auth

pytestmark = pytest.mark.anyio


def budgets_in(session: AsyncSession) -> BudgetService:
    return BudgetService(
        session,
        UUID(int=1),  # option: auth
    )


async def make_budget(database: Database, *, name: str = "Food", limit: str = "100.00") -> Budget:
    async with database.session() as session:
        return await budgets_in(session).create(BudgetCreate.model_validate({"name": name, "limit": limit}))


async def test_a_budget_keeps_its_name(database: Database) -> None:
    budget = await make_budget(database, name="Food")
    async with database.session() as session:
        changed = await budgets_in(session).update(budget.id, BudgetUpdate(name="Food"))
    assert (changed.id, changed.name, changed.limit) == (budget.id, budget.name, budget.limit)


async def test_a_name_is_free_again_when_its_budget_is_deleted(database: Database) -> None:
    budget = await make_budget(database, name="Food")
    async with database.session() as session:
        await budgets_in(session).delete(budget.id)
    assert (await make_budget(database, name="Food")).id != budget.id


async def test_names_differ_by_case(database: Database) -> None:
    await make_budget(database, name="Food")
    await make_budget(database, name="food")


async def test_one_of_two_concurrent_budgets_with_one_name_is_refused(database: Database) -> None:
    makers = (make_budget(database, name="Food") for _ in range(2))
    outcomes = await asyncio.gather(*makers, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Budget", "BudgetNameTakenError"]


async def test_two_concurrent_changes_are_both_kept(database: Database) -> None:
    budget = await make_budget(database)

    async def change(body: BudgetUpdate) -> None:
        async with database.session() as session:
            await budgets_in(session).update(budget.id, body)

    await asyncio.gather(change(BudgetUpdate(name="Bread")), change(BudgetUpdate.model_validate({"limit": "5"})))
    async with database.session(readonly=True) as session:
        changed = await budgets_in(session).get(budget.id)
    assert (changed.name, changed.limit) == ("Bread", Decimal(5))


async def test_a_lock_reads_what_is_committed_although_the_budget_was_read_before(database: Database) -> None:
    budget = await make_budget(database, name="Food")
    async with database.session(readonly=True) as session:
        budgets = budgets_in(session)
        before = await budgets.get(budget.id)
        async with database.session() as other:
            await budgets_in(other).update(budget.id, BudgetUpdate(name="Bread"))
        locked = await budgets.get(budget.id, for_update=True)
    assert locked is before
    assert locked.name == "Bread"


async def test_a_reader_neither_waits_for_a_writer_nor_sees_uncommitted_rows(database: Database) -> None:
    async with database.session() as writer:
        await budgets_in(writer).create(BudgetCreate.model_validate({"name": "Food", "limit": "1"}))
        async with database.session(readonly=True) as reader:
            assert (await budgets_in(reader).get_page(PageRequest())).total == 0


async def test_a_missing_budget_is_reported(database: Database) -> None:
    missing = uuid4()
    async with database.session() as session:
        budgets = budgets_in(session)
        for method in (budgets.get, budgets.delete):
            with pytest.raises(BudgetNotFoundError, match=str(missing)):
                await method(missing)


# option: auth
async def test_an_owner_who_is_deleted_is_reported(database: Database) -> None:
    with pytest.raises(UserNotFoundError):
        async with database.session() as session:
            await BudgetService(session, uuid4()).create(BudgetCreate.model_validate({"name": "Food", "limit": "1"}))


# end: auth
async def test_the_database_itself_keeps_what_is_spent_within_the_limit(database: Database) -> None:
    budget = await make_budget(database, limit="1.00")
    for spent in ("1.01", "-0.01"):
        with pytest.raises(IntegrityError, match="ck_budgets_spent_is_within_limit"):
            async with database.session() as session:
                await session.execute(update(Budget).where(Budget.id == budget.id).values(spent=Decimal(spent)))


async def test_an_amount_with_a_fraction_of_a_cent_is_not_stored(database: Database) -> None:
    async with database.session() as session:
        with pytest.raises(StatementError, match="more than two decimal places"):
            await session.execute(insert(Budget).values(name="Food", limit=Decimal("1.005")))
