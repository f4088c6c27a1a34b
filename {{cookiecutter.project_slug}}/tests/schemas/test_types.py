"""Types of fields: amounts of money, dates and times."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from api.schemas.types import Amount, Money, UtcDatetime

amounts = TypeAdapter(Amount)
money = TypeAdapter(Money)
datetimes = TypeAdapter(UtcDatetime)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("12.50", "12.50"),
        ("12.5", "12.5"),
        ("7", "7"),
        ("0.01", "0.01"),
        ("007.00", "7"),
        ("999999999999.99", "999999999999.99"),
    ],
)
def test_an_amount_is_parsed_exactly(given: str, parsed: str) -> None:
    assert amounts.validate_python(given) == Decimal(parsed)


@pytest.mark.parametrize(
    "given",
    [
        *("0", "0.0", "0.00", "000"),
        *("-1", "-0.01", "+1"),
        *("0.001", "1.000", "1000000000000", "1e3", "1E-2"),
        *("", " ", " 1", "1 ", "1\n", "1.", ".5", "1,50", "1 000", "1_000", "€1"),
        *("NaN", "Infinity", "-inf", "0x10", "\0", "1\0", "١", "１"),  # noqa: RUF001 - digits of other scripts
        *(12, 12.5, True, None, Decimal("12.50"), ["12.50"]),
    ],
)
def test_any_other_amount_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match=r"An amount is a string such as \"12.50\""):
        amounts.validate_python(given)


@pytest.mark.parametrize(
    ("value", "formatted"),
    [("0", "0.00"), ("7", "7.00"), ("12.5", "12.50"), ("1E+3", "1000.00"), ("1E+11", "100000000000.00")],
)
def test_money_has_two_decimal_places(value: str, formatted: str) -> None:
    assert money.dump_python(Decimal(value)) == formatted


@pytest.mark.parametrize(("adapter", "mode"), [(amounts, "validation"), (money, "serialization")])
def test_money_is_a_string_in_the_schema(adapter: TypeAdapter[Decimal], mode: str) -> None:
    schema = adapter.json_schema(mode="validation" if mode == "validation" else "serialization")
    assert (schema["type"], schema["examples"]) == ("string", ["12.50"])


@pytest.mark.parametrize(
    "given",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00:00z",
        "2026-01-31T12:00:00.000+00:00",
        "2026-01-31T17:45+05:45",
        "2026-01-30T21:00:00-15:00",
    ],
)
def test_a_datetime_of_any_zone_is_converted_to_utc(given: str) -> None:
    parsed = datetimes.validate_python(given)
    assert parsed == NOON
    assert parsed.tzinfo == UTC


@pytest.mark.parametrize(
    "given",
    [
        *("2026-01-31T12:00:00", "2026-01-31", "12:00:00Z", "now", "", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z"),
        *("1769860800", 1769860800, 0, True, None),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01"),
    ],
)
def test_any_other_datetime_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        datetimes.validate_python(given)
