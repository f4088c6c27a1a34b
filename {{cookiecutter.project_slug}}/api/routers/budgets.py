"""Budgets over HTTP."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.dependencies.budgets import BudgetServiceDep
from api.dependencies.pagination import PageDep
from api.routers.problems import documented
from api.schemas.budgets import BudgetCreate, BudgetRead, BudgetSummary, BudgetUpdate
from api.schemas.pagination import Page

router = APIRouter(
    prefix="/v1/budgets",
    tags=["budgets"],
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)


@router.post("", status_code=HTTPStatus.CREATED, responses=documented(HTTPStatus.CONFLICT))
async def create_budget(
    body: BudgetCreate, budgets: BudgetServiceDep, request: Request, response: Response
) -> BudgetRead:
    budget = await budgets.create(body)
    response.headers["Location"] = request.url_for("read_budget", budget_id=budget.id).path
    return budget


@router.get("")
async def list_budgets(page: PageDep, budgets: BudgetServiceDep) -> Page[BudgetRead]:
    return await budgets.list(page)


@router.get("/{budget_id}", responses=documented(HTTPStatus.NOT_FOUND))
async def read_budget(budget_id: UUID, budgets: BudgetServiceDep) -> BudgetRead:
    return await budgets.get(budget_id)


@router.get("/{budget_id}/summary", responses=documented(HTTPStatus.NOT_FOUND))
async def read_budget_summary(budget_id: UUID, budgets: BudgetServiceDep) -> BudgetSummary:
    return await budgets.summarize(budget_id)


@router.patch("/{budget_id}", responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
async def update_budget(budget_id: UUID, body: BudgetUpdate, budgets: BudgetServiceDep) -> BudgetRead:
    return await budgets.update(budget_id, body)


@router.delete("/{budget_id}", status_code=HTTPStatus.NO_CONTENT, responses=documented(HTTPStatus.NOT_FOUND))
async def delete_budget(budget_id: UUID, budgets: BudgetServiceDep) -> None:
    await budgets.delete(budget_id)
