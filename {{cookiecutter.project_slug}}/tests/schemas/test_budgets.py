"""Request bodies of budgets."""

import re

import pytest
from pydantic import ValidationError

from api.schemas.budgets import BudgetCreate, BudgetUpdate


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
