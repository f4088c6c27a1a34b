"""The endpoints of transactions."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

BREAD = {"amount": "12.50", "description": "Bread", "occurred_at": "2026-01-31T12:00:00Z"}


def test_a_new_transaction_is_found_at_its_location(client: TestClient, make_budget: Callable[..., str]) -> None:
    budget = make_budget()
    response = client.post(f"{budget}/transactions", json=BREAD)
    transaction = response.json()
    assert response.status_code == 201
    assert transaction == {**BREAD, "id": transaction["id"], "budget_id": budget.rpartition("/")[2]}
    assert UUID(transaction["id"]).version == 7
    assert client.get(response.headers["Location"]).json() == transaction


def test_a_transaction_occurs_now_by_default(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget()
    before = datetime.now(UTC)
    occurred_at = datetime.fromisoformat(client.get(spend(budget)).json()["occurred_at"])
    assert before <= occurred_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00+05:30", "2026-01-31T06:30:00Z"),
        ("2026-01-31T20:00:00.123456-08:00", "2026-02-01T04:00:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_of_any_zone_are_returned_in_utc(
    client: TestClient, make_budget: Callable[..., str], given: str, returned: str
) -> None:
    response = client.post(f"{make_budget()}/transactions", json={**BREAD, "occurred_at": given})
    assert response.json()["occurred_at"] == returned
    assert client.get(response.headers["Location"]).json()["occurred_at"] == returned


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"amount": 12.5}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-1.00"}, "amount"),
        ({"amount": "0.001"}, "amount"),
        ({"amount": "1000000000000"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": None}, "amount"),
        ({"description": ""}, "description"),
        ({"description": "nul\0"}, "description"),
        ({"description": "x" * 201}, "description"),
        ({"occurred_at": "2026-01-31T12:00:00"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+01:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-01:00"}, "occurred_at"),
        ({"occurred_at": 1769860800}, "occurred_at"),
        ({"occurred_at": None}, "occurred_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_invalid_transaction_is_refused(
    client: TestClient, make_budget: Callable[..., str], change: dict[str, object], part: str
) -> None:
    response = client.post(f"{make_budget()}/transactions", json={**BREAD, **change})
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert [error["loc"] for error in response.json()["errors"]] == [["body", part]]


def test_the_last_cent_can_be_spent_but_not_more(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget(limit="0.30")
    spend(budget, "0.10")
    spend(budget, "0.20")
    response = client.post(f"{budget}/transactions", json={**BREAD, "amount": "0.01"})
    assert (response.status_code, response.json()["type"]) == (409, "urn:problem:limit-exceeded")
    assert response.json()["detail"] == "0.01 is more than the 0.00 that is left."
    assert client.get(f"{budget}/transactions").json()["total"] == 2


def test_the_largest_amounts_stay_exact(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget(limit="999999999999.99")
    spend(budget, "999999999999.98")
    assert client.get(f"{budget}/summary").json()["remaining"] == "0.01"


def test_ten_of_forty_concurrent_transactions_are_within_the_limit(
    client: TestClient, make_budget: Callable[..., str]
) -> None:
    budget = make_budget(limit="1.00")
    with ThreadPoolExecutor(40) as clients:
        responses = clients.map(
            lambda _: client.post(f"{budget}/transactions", json={**BREAD, "amount": "0.10"}), range(40)
        )
        assert Counter(response.status_code for response in responses) == {201: 10, 409: 30}
    summary = client.get(f"{budget}/summary").json()
    assert (summary["spent"], summary["remaining"], summary["transactions"]) == ("1.00", "0.00", 10)


def test_the_amount_of_a_deleted_transaction_can_be_spent_again(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget(limit="10.00")
    transaction = spend(budget, "10.00")
    assert client.delete(transaction).status_code == 204
    assert client.get(transaction).status_code == 404
    assert client.get(f"{budget}/summary").json()["spent"] == "0.00"
    spend(budget, "10.00")


def test_a_transaction_is_found_in_its_own_budget_only(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    food, rent = make_budget(name="Food"), make_budget(name="Rent")
    elsewhere = spend(food).replace(food, rent)
    for response in (client.get(elsewhere), client.delete(elsewhere)):
        assert (response.status_code, response.json()["type"]) == (404, "urn:problem:transaction-not-found")
    assert client.get(f"{rent}/transactions").json()["total"] == 0


def test_transactions_of_a_missing_budget_are_not_found(client: TestClient) -> None:
    missing = f"/v1/budgets/{uuid4()}/transactions"
    responses = [client.post(missing, json=BREAD), client.get(missing), client.delete(f"{missing}/{uuid4()}")]
    assert {(response.status_code, response.json()["type"]) for response in responses} == {
        (404, "urn:problem:budget-not-found")
    }


def test_transactions_are_listed_newest_first_and_in_pages(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget()
    for day in ("03", "01", "05", "02", "04"):
        spend(budget, occurred_at=f"2026-01-{day}T00:00:00Z")
    pages = [client.get(f"{budget}/transactions?limit=2&offset={offset}").json() for offset in (0, 2, 4, 6)]
    days = [[transaction["occurred_at"][8:10] for transaction in page["items"]] for page in pages]
    assert days == [["05", "04"], ["03", "02"], ["01"], []]
    assert [page["total"] for page in pages] == [5, 5, 5, 5]


def test_what_happened_at_the_same_time_has_a_stable_order(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget()
    made = [spend(budget, occurred_at="2026-01-01T00:00:00Z").rpartition("/")[2] for _ in range(5)]
    pages = [client.get(f"{budget}/transactions?limit=1&offset={offset}").json()["items"] for offset in range(5)]
    assert [page[0]["id"] for page in pages] == made[::-1]
