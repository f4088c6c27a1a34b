"""Dates and times in requests."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from api.schemas.datetimes import UtcDatetime

adapter = TypeAdapter(UtcDatetime)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


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
    parsed = adapter.validate_python(given)
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
def test_anything_else_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(given)
