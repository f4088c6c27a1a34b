"""Fixtures that create budgets and transactions."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def make_budget(client: TestClient) -> Callable[..., str]:
    """Create a budget, and return its path."""

    def make(name: str = "Food", limit: str = "100.00") -> str:
        response = client.post("/v1/budgets", json={"name": name, "limit": limit})
        return response.raise_for_status().headers["Location"]

    return make


@pytest.fixture
def spend(client: TestClient) -> Callable[..., str]:
    """Create a transaction, and return its path."""

    def make(budget: str, amount: str = "1.00", **fields: str) -> str:
        body = {"amount": amount, "description": "Bread", **fields}
        return client.post(f"{budget}/transactions", json=body).raise_for_status().headers["Location"]

    return make
