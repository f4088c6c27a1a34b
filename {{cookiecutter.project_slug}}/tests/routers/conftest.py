"""Builders of what most tests of the example begin with."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def make_budget(client: TestClient) -> Callable[..., str]:
    """Make a budget; it is known by its path."""

    def make(name: str = "Food", limit: str = "100.00") -> str:
        answer = client.post("/v1/budgets", json={"name": name, "limit": limit})
        return answer.raise_for_status().headers["Location"]

    return make


@pytest.fixture
def spend(client: TestClient) -> Callable[..., str]:
    """Spend money of a budget; the transaction is known by its path."""

    def make(budget: str, amount: str = "1.00", **fields: str) -> str:
        body = {"amount": amount, "description": "Bread", **fields}
        return client.post(f"{budget}/transactions", json=body).raise_for_status().headers["Location"]

    return make
