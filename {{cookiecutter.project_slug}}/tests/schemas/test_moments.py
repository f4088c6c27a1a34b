"""Moments and days on the wire."""

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from api.schemas.moments import Day, Moment

moments = TypeAdapter(Moment)
days = TypeAdapter(Day)

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
def test_a_moment_is_read_in_any_zone_and_moved_to_utc(given: str) -> None:
    moment = moments.validate_python(given)
    assert moment == NOON
    assert moment.tzinfo == UTC


@pytest.mark.parametrize(
    "given",
    [
        *("2026-01-31T12:00:00", "2026-01-31", "12:00:00Z", "now", "", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z"),
        *("1769860800", 1769860800, 0, True, None),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01"),
    ],
)
def test_what_is_no_moment_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        moments.validate_python(given)


def test_a_day_is_read() -> None:
    assert days.validate_python("2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize(
    "given",
    [
        *("2026-02-29", "0000-01-01", "2026-01-31T00:00:00", "2026-01-31T00:00:00Z", "20260131", "31.01.2026", "today"),
        *("1769817600", 1769817600, 0, True, None, ""),
    ],
)
def test_what_is_no_day_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        days.validate_python(given)
