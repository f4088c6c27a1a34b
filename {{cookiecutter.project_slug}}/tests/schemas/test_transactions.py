"""The shapes of transactions."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from api.schemas.transactions import Moment, TransactionCreate

moments = TypeAdapter(Moment)

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


def test_each_transaction_without_a_time_gets_its_own() -> None:
    body = {"amount": "1.00", "description": "Bread"}
    first, second = TransactionCreate.model_validate(body), TransactionCreate.model_validate(body)
    assert first.occurred_at <= second.occurred_at <= datetime.now(UTC) < first.occurred_at + timedelta(minutes=1)
