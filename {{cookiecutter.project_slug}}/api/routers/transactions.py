"""The endpoints of a budget's transactions."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.dependencies.pagination import PageDep
from api.dependencies.transactions import TransactionServiceDep
from api.models import Transaction
from api.routers.problems import problem_responses
from api.schemas.pagination import Page
from api.schemas.transactions import TransactionCreate, TransactionRead
from api.services.pagination import PageOf

router = APIRouter(
    prefix="/v1/budgets/{budget_id}/transactions", tags=["transactions"], responses=problem_responses(404, 422, 503)
)


@router.post("", status_code=201, response_model=TransactionRead, responses=problem_responses(409))
async def create_transaction(
    budget_id: UUID, body: TransactionCreate, transactions: TransactionServiceDep, request: Request, response: Response
) -> Transaction:
    transaction = await transactions.create(budget_id, body)
    response.headers["Location"] = f"{request.url.path}/{transaction.id}"
    return transaction


@router.get("", response_model=Page[TransactionRead])
async def list_transactions(budget_id: UUID, page: PageDep, transactions: TransactionServiceDep) -> PageOf[Transaction]:
    return await transactions.get_page(budget_id, page)


@router.get("/{transaction_id}", response_model=TransactionRead)
async def read_transaction(budget_id: UUID, transaction_id: UUID, transactions: TransactionServiceDep) -> Transaction:
    return await transactions.get(budget_id, transaction_id)


@router.delete("/{transaction_id}", status_code=204)
async def delete_transaction(budget_id: UUID, transaction_id: UUID, transactions: TransactionServiceDep) -> None:
    await transactions.delete(budget_id, transaction_id)
