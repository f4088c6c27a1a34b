"""Transactions of a budget over HTTP."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.dependencies.pagination import PageDep
from api.dependencies.transactions import TransactionServiceDep
from api.routers.problems import documented
from api.schemas.pagination import Page
from api.schemas.transactions import TransactionCreate, TransactionRead

router = APIRouter(
    prefix="/v1/budgets/{budget_id}/transactions",
    tags=["transactions"],
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)


@router.post("", status_code=HTTPStatus.CREATED, responses=documented(HTTPStatus.CONFLICT))
async def create_transaction(
    budget_id: UUID, body: TransactionCreate, transactions: TransactionServiceDep, request: Request, response: Response
) -> TransactionRead:
    transaction = await transactions.create(budget_id, body)
    location = request.url_for("read_transaction", budget_id=budget_id, transaction_id=transaction.id)
    response.headers["Location"] = location.path
    return transaction


@router.get("")
async def list_transactions(
    budget_id: UUID, page: PageDep, transactions: TransactionServiceDep
) -> Page[TransactionRead]:
    return await transactions.list(budget_id, page)


@router.get("/{transaction_id}")
async def read_transaction(
    budget_id: UUID, transaction_id: UUID, transactions: TransactionServiceDep
) -> TransactionRead:
    return await transactions.get(budget_id, transaction_id)


@router.delete("/{transaction_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_transaction(budget_id: UUID, transaction_id: UUID, transactions: TransactionServiceDep) -> None:
    await transactions.delete(budget_id, transaction_id)
