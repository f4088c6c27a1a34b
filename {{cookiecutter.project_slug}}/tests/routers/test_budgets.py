"""The endpoints of budgets, and their request bodies."""

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.schemas.budgets import BudgetCreate, BudgetUpdate

BUDGETS = "/v1/budgets"
FOOD = {"name": "Food", "limit": "100.00"}


def test_a_new_budget_is_found_at_its_location(client: TestClient) -> None:
    response = client.post(BUDGETS, json=FOOD)
    budget = response.json()
    assert response.status_code == 201
    assert budget == {"id": budget["id"], **FOOD}
    assert UUID(budget["id"]).version == 7
    assert client.get(response.headers["Location"]).json() == budget


def test_amounts_have_two_decimal_places(client: TestClient) -> None:
    assert client.post(BUDGETS, json={"name": "Food", "limit": "7"}).json()["limit"] == "7.00"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": None}, "name"),
        ({"limit": 12.5}, "limit"),
        ({"limit": "0.00"}, "limit"),
        ({"limit": "-1.00"}, "limit"),
        ({"limit": "1.005"}, "limit"),
        ({"limit": "1000000000000.00"}, "limit"),
        ({"limit": "NaN"}, "limit"),
        ({"limit": None}, "limit"),
        ({"spent": "1.00"}, "spent"),
    ],
)
def test_an_invalid_budget_is_refused(
    client: TestClient, make_budget: Callable[..., str], change: dict[str, object], part: str
) -> None:
    budget = make_budget(name="Rent")
    for response in (client.post(BUDGETS, json={**FOOD, **change}), client.patch(budget, json=change)):
        assert response.status_code == 422
        assert response.headers["Content-Type"] == "application/problem+json"
        assert [error["loc"] for error in response.json()["errors"]] == [["body", part]]


@pytest.mark.parametrize("part", ["name", "limit"])
def test_every_field_of_a_budget_is_required(client: TestClient, part: str) -> None:
    response = client.post(BUDGETS, json={name: value for name, value in FOOD.items() if name != part})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", part]


def test_a_taken_name_is_a_conflict(client: TestClient, make_budget: Callable[..., str]) -> None:
    make_budget(name="Food")
    response = client.post(BUDGETS, json={**FOOD, "name": "  Food "})
    assert (response.status_code, response.json()["type"]) == (409, "urn:problem:budget-name-taken")
    assert client.get(BUDGETS).json()["total"] == 1


def test_renaming_to_a_taken_name_is_a_conflict(client: TestClient, make_budget: Callable[..., str]) -> None:
    make_budget(name="Food")
    rent = make_budget(name="Rent")
    response = client.patch(rent, json={"name": "Food"})
    assert (response.status_code, response.json()["type"]) == (409, "urn:problem:budget-name-taken")
    assert client.get(rent).json()["name"] == "Rent"


def test_one_of_twenty_concurrent_budgets_with_one_name_is_created(client: TestClient) -> None:
    with ThreadPoolExecutor(20) as clients:
        responses = clients.map(lambda _: client.post(BUDGETS, json=FOOD), range(20))
        assert Counter(response.status_code for response in responses) == {201: 1, 409: 19}
    assert client.get(BUDGETS).json()["total"] == 1


def test_a_change_leaves_the_other_fields(client: TestClient, make_budget: Callable[..., str]) -> None:
    budget = make_budget(name="Food", limit="100.00")
    assert client.patch(budget, json={"name": "Bread"}).status_code == 200
    assert client.patch(budget, json={"limit": "5.00"}).status_code == 200
    assert client.patch(budget, json={}).status_code == 200
    changed = client.get(budget).json()
    assert (changed["name"], changed["limit"]) == ("Bread", "5.00")


def test_a_limit_can_be_lowered_to_what_is_spent_but_not_below(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget(limit="100.00")
    spend(budget, "12.50")
    response = client.patch(budget, json={"limit": "12.4"})
    assert (response.status_code, response.json()["type"]) == (409, "urn:problem:limit-below-spent")
    assert response.json()["detail"] == "12.50 is spent already, more than 12.40."
    assert client.get(budget).json()["limit"] == "100.00"
    assert client.patch(budget, json={"limit": "12.50"}).status_code == 200


def test_a_summary_is_exact_to_the_cent(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget(limit="0.31")
    assert client.get(f"{budget}/summary").json() == {
        "limit": "0.31",
        "spent": "0.00",
        "remaining": "0.31",
        "transactions": 0,
    }
    spend(budget, "0.10")
    spend(budget, "0.20")
    assert client.get(f"{budget}/summary").json() == {
        "limit": "0.31",
        "spent": "0.30",
        "remaining": "0.01",
        "transactions": 2,
    }


def test_a_deleted_budget_and_its_transactions_are_not_found(
    client: TestClient, make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget()
    transaction = spend(budget)
    assert client.delete(budget).status_code == 204
    gone = (budget, f"{budget}/summary", f"{budget}/transactions", transaction)
    assert [client.get(path).status_code for path in gone] == [404] * 4
    assert make_budget() != budget


def test_a_missing_budget_is_not_found(client: TestClient) -> None:
    missing = f"{BUDGETS}/{uuid4()}"
    responses = [
        client.get(missing),
        client.get(f"{missing}/summary"),
        client.patch(missing, json={"name": "Food"}),
        client.delete(missing),
    ]
    assert {(response.status_code, response.json()["type"]) for response in responses} == {
        (404, "urn:problem:budget-not-found")
    }


# option: auth
def test_a_budget_of_another_user_is_not_found(
    client: TestClient, other_user: dict[str, str], make_budget: Callable[..., str], spend: Callable[..., str]
) -> None:
    budget = make_budget()
    transaction = spend(budget)
    read = (budget, f"{budget}/summary", f"{budget}/transactions", f"{budget}/transactions?offset=1", transaction)
    assert [client.get(path, headers=other_user).status_code for path in read] == [404] * 5
    assert client.get(BUDGETS, headers=other_user).json()["total"] == 0
    changes = {"amount": "1.00", "description": "Bread"}
    assert client.post(f"{budget}/transactions", json=changes, headers=other_user).status_code == 404
    assert client.patch(budget, json={"name": "Mine"}, headers=other_user).status_code == 404
    assert [client.delete(path, headers=other_user).status_code for path in (transaction, budget)] == [404] * 2
    assert client.get(transaction).status_code == 200


# end: auth
def test_an_id_has_to_be_a_uuid(client: TestClient) -> None:
    assert client.get(f"{BUDGETS}/one").json()["errors"][0]["loc"] == ["path", "budget_id"]


def test_budgets_are_listed_oldest_first_and_in_pages(client: TestClient, make_budget: Callable[..., str]) -> None:
    for name in "edcba":
        make_budget(name=name)
    pages = [client.get(f"{BUDGETS}?limit=2&offset={offset}").json() for offset in (0, 2, 4, 6)]
    assert [[budget["name"] for budget in page["items"]] for page in pages] == [["e", "d"], ["c", "b"], ["a"], []]
    assert [page["total"] for page in pages] == [5, 5, 5, 5]


@pytest.mark.parametrize("query", ["limit=100000", "offset=-1"])
def test_an_invalid_page_of_a_list_is_refused(client: TestClient, query: str) -> None:
    response = client.get(f"{BUDGETS}?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]


def test_every_problem_is_documented(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    documented = {
        (method, path.removeprefix(BUDGETS)): {int(status) for status in operation["responses"] if status >= "400"}
        for path, operations in paths.items()
        for method, operation in operations.items()
        if path.startswith(BUDGETS)
    }
    # option: auth
    for statuses in documented.values():
        statuses.discard(401)
    # end: auth
    transactions = "/{budget_id}/transactions"
    expected = {
        ("get", ""): {422, 503},
        ("post", ""): {400, 408, 409, 413, 422, 503},
        ("get", "/{budget_id}"): {404, 422, 503},
        ("patch", "/{budget_id}"): {400, 404, 408, 409, 413, 422, 503},
        ("delete", "/{budget_id}"): {404, 422, 503},
        ("get", "/{budget_id}/summary"): {404, 422, 503},
        ("get", transactions): {404, 422, 503},
        ("post", transactions): {400, 404, 408, 409, 413, 422, 503},
        ("get", f"{transactions}/{{transaction_id}}"): {404, 422, 503},
        ("delete", f"{transactions}/{{transaction_id}}"): {404, 422, 503},
    }
    assert {operation: documented[operation] for operation in expected} == expected


@pytest.mark.parametrize("name", ["Food", "Ÿ", "Essen & Trinken", "食費", "🍞", "x" * 80, "<b>", "' OR 1=1 --"])
def test_a_name_is_any_single_line(name: str) -> None:
    assert BudgetUpdate(name=name).name == name


def test_white_space_around_a_name_is_removed() -> None:
    assert BudgetUpdate(name=" \t Food and drink\n").name == "Food and drink"


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u3000"])
def test_the_pattern_in_the_schema_refuses_a_blank_name_too(blank: str) -> None:
    with pytest.raises(ValidationError):
        BudgetUpdate(name=blank)
    pattern = BudgetCreate.model_json_schema()["properties"]["name"]["pattern"]
    assert re.search(pattern, "Food")
    assert not re.search(pattern, blank)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\n",
        "two\nlines",
        "two\u2028lines",
        "two\x85lines",
        "nul\0",
        "bell\a",
        "del\x7f",
        "\ud800",
        "x" * 81,
        7,
        None,
    ],
)
def test_anything_else_is_refused_as_a_name(name: object) -> None:
    with pytest.raises(ValidationError):
        BudgetUpdate.model_validate({"name": name})


def test_an_absent_field_is_not_changed() -> None:
    assert BudgetUpdate.model_validate({}).model_dump() == {}
    assert BudgetUpdate.model_validate({"name": "Food"}).model_dump() == {"name": "Food"}


@pytest.mark.parametrize("part", ["name", "limit"])
def test_null_is_refused(part: str) -> None:
    with pytest.raises(ValidationError):
        BudgetUpdate.model_validate({part: None})


@pytest.mark.parametrize("schema", [BudgetCreate, BudgetUpdate])
def test_an_unknown_field_is_refused(schema: type[BudgetCreate | BudgetUpdate]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        schema.model_validate({"name": "Food", "limit": "1.00", "spent": "0.00"})
