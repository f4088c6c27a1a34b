"""The shapes of budgets."""

import re

import pytest
from pydantic import ValidationError

from api.schemas.budgets import BudgetCreate, BudgetUpdate


@pytest.mark.parametrize("name", ["Food", "Ÿ", "Essen & Trinken", "食費", "🍞", "x" * 80, "<b>", "' OR 1=1 --"])
def test_a_name_is_any_line_of_text(name: str) -> None:
    assert BudgetUpdate(name=name).name == name


def test_the_space_around_a_name_is_dropped() -> None:
    assert BudgetUpdate(name=" \t Food and drink\n").name == "Food and drink"


@pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u3000"])
def test_the_page_tells_too_that_a_name_is_not_blank(blank: str) -> None:
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
def test_what_is_no_line_of_text_is_no_name(name: object) -> None:
    with pytest.raises(ValidationError):
        BudgetUpdate.model_validate({"name": name})


def test_an_absent_part_is_no_change() -> None:
    assert BudgetUpdate.model_validate({}).model_dump() == {}
    assert BudgetUpdate.model_validate({"name": "Food"}).model_dump() == {"name": "Food"}


@pytest.mark.parametrize("part", ["name", "limit"])
def test_null_is_no_absent_part(part: str) -> None:
    with pytest.raises(ValidationError):
        BudgetUpdate.model_validate({part: None})


@pytest.mark.parametrize("shape", [BudgetCreate, BudgetUpdate])
def test_an_unknown_field_is_refused(shape: type[BudgetCreate | BudgetUpdate]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        shape.model_validate({"name": "Food", "limit": "1.00", "spent": "0.00"})
