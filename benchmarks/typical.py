"""What most templates do: FastAPI, SQLModel and psycopg in the thread pool, on the tables of the generated backend."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from sqlalchemy import BigInteger, DateTime
from sqlmodel import Field, Session, SQLModel, col, create_engine, func, select

ADDRESS = os.environ["DATABASE_URL"].partition("://")[2]
engine = create_engine(
    f"postgresql+psycopg://{ADDRESS}", pool_size=int(os.environ["DATABASE_POOL_SIZE"]), max_overflow=0
)


class Budget(SQLModel, table=True):
    __tablename__ = "budgets"

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    name: str
    limit: int = Field(sa_type=BigInteger)
    spent: int = Field(default=0, sa_type=BigInteger)
    transaction_count: int = Field(default=0, sa_type=BigInteger)


class Transaction(SQLModel, table=True):
    __tablename__ = "transactions"

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    budget_id: uuid.UUID = Field(foreign_key="budgets.id")
    amount: int = Field(sa_type=BigInteger)
    description: str
    occurred_at: datetime = Field(sa_type=DateTime(timezone=True))


def to_cents(amount: str) -> int:
    return round(float(amount) * 100)


Cents = Annotated[int, PlainSerializer(lambda cents: f"{cents / 100:.2f}")]


class TransactionCreate(SQLModel):
    amount: Annotated[int, BeforeValidator(to_cents)] = Field(gt=0)
    description: str = Field(max_length=200)
    occurred_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class TransactionPublic(SQLModel):
    id: uuid.UUID
    budget_id: uuid.UUID
    amount: Cents
    description: str
    occurred_at: Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class TransactionsPublic(SQLModel):
    items: list[TransactionPublic]
    total: int
    limit: int
    offset: int


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]

app = FastAPI()


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/v1/budgets/{budget_id}/transactions", response_model=TransactionsPublic)
def read_page(
    session: SessionDep,
    budget_id: uuid.UUID,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> object:
    of_budget = col(Transaction.budget_id) == budget_id
    newest_first = (col(Transaction.occurred_at).desc(), col(Transaction.id).desc())
    total = session.exec(select(func.count()).select_from(Transaction).where(of_budget)).one()
    rows = session.exec(select(Transaction).where(of_budget).order_by(*newest_first).limit(limit).offset(offset)).all()
    return {"items": rows, "total": total, "limit": limit, "offset": offset}


@app.post("/v1/budgets/{budget_id}/transactions", response_model=TransactionPublic, status_code=201)
def create(session: SessionDep, budget_id: uuid.UUID, body: TransactionCreate) -> Transaction:
    budget = session.get(Budget, budget_id, with_for_update=True)
    if budget is None:
        raise HTTPException(404, "Budget not found")
    if budget.spent + body.amount > budget.limit:
        raise HTTPException(409, "The budget's limit would be exceeded")
    budget.spent += body.amount
    budget.transaction_count += 1
    transaction = Transaction.model_validate(body, update={"budget_id": budget_id})
    session.add(budget)
    session.add(transaction)
    session.commit()
    session.refresh(transaction)
    return transaction


@app.get("/v1/budgets/{budget_id}/transactions/{transaction_id}", response_model=TransactionPublic)
def read_one(session: SessionDep, budget_id: uuid.UUID, transaction_id: uuid.UUID) -> Transaction:
    transaction = session.get(Transaction, transaction_id)
    if transaction is None or transaction.budget_id != budget_id:
        raise HTTPException(404, "Transaction not found")
    return transaction
