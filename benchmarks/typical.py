"""What most templates do: FastAPI, SQLModel and psycopg in the thread pool, on the tables of the generated backend."""

import os
import uuid
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BeforeValidator, PlainSerializer
from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, create_engine, func, select

ADDRESS = os.environ["DATABASE_URL"].partition("://")[2]
engine = create_engine(f"postgresql+psycopg://{ADDRESS}", pool_size=20)

Cents = Annotated[
    int,
    BeforeValidator(lambda amount: round(float(amount) * 100) if isinstance(amount, str) else amount),
    PlainSerializer(lambda cents: f"{cents / 100:.2f}"),
]


class BudgetCreate(SQLModel):
    name: str = Field(max_length=80)
    limit: Cents = Field(gt=0, sa_type=BigInteger)


class Budget(BudgetCreate, table=True):
    __tablename__ = "budgets"

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    spent: int = Field(default=0, sa_type=BigInteger)
    transaction_count: int = Field(default=0, sa_type=BigInteger)


class BudgetPublic(SQLModel):
    id: uuid.UUID
    name: str
    limit: Cents


class BudgetsPublic(SQLModel):
    items: list[BudgetPublic]
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


@app.get("/v1/budgets", response_model=BudgetsPublic)
def read_page(
    session: SessionDep, limit: Annotated[int, Query(ge=1, le=100)] = 20, offset: Annotated[int, Query(ge=0)] = 0
) -> object:
    total = session.exec(select(func.count()).select_from(Budget)).one()
    rows = session.exec(select(Budget).order_by(col(Budget.id)).limit(limit).offset(offset)).all()
    return {"items": rows, "total": total, "limit": limit, "offset": offset}


@app.post("/v1/budgets", response_model=BudgetPublic, status_code=201)
def create(session: SessionDep, body: BudgetCreate) -> Budget:
    budget = Budget.model_validate(body)
    session.add(budget)
    session.commit()
    session.refresh(budget)
    return budget


@app.get("/v1/budgets/{budget_id}", response_model=BudgetPublic)
def read_one(session: SessionDep, budget_id: uuid.UUID) -> Budget:
    budget = session.get(Budget, budget_id)
    if budget is None:
        raise HTTPException(404, "Budget not found")
    return budget
