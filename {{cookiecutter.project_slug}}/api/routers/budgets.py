"""The endpoints of budgets."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.dependencies.budgets import BudgetServiceDep
from api.dependencies.pagination import PageDep
from api.models import Budget
from api.routers.problems import problem_responses
from api.schemas.budgets import BudgetCreate, BudgetRead, BudgetSummary, BudgetUpdate
from api.schemas.pagination import Page
from api.services.pagination import PageOf

router = APIRouter(prefix="/v1/budgets", tags=["budgets"], responses=problem_responses(422, 503))


@router.post("", status_code=201, response_model=BudgetRead, responses=problem_responses(409))
async def create_budget(body: BudgetCreate, budgets: BudgetServiceDep, request: Request, response: Response) -> Budget:
    budget = await budgets.create(body)
    response.headers["Location"] = f"{request.url.path}/{budget.id}"
    return budget


@router.get("", response_model=Page[BudgetRead])
async def list_budgets(page: PageDep, budgets: BudgetServiceDep) -> PageOf[Budget]:
    return await budgets.get_page(page)


@router.get("/{budget_id}", response_model=BudgetRead, responses=problem_responses(404))
async def read_budget(budget_id: UUID, budgets: BudgetServiceDep) -> Budget:
    return await budgets.get(budget_id)


@router.get("/{budget_id}/summary", response_model=BudgetSummary, responses=problem_responses(404))
async def read_budget_summary(budget_id: UUID, budgets: BudgetServiceDep) -> Budget:
    return await budgets.get(budget_id)


@router.patch("/{budget_id}", response_model=BudgetRead, responses=problem_responses(404, 409))
async def update_budget(budget_id: UUID, body: BudgetUpdate, budgets: BudgetServiceDep) -> Budget:
    return await budgets.update(budget_id, body)


@router.delete("/{budget_id}", status_code=204, responses=problem_responses(404))
async def delete_budget(budget_id: UUID, budgets: BudgetServiceDep) -> None:
    await budgets.delete(budget_id)
