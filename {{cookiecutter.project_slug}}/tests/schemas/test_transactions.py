"""The shapes of transactions."""

from datetime import UTC, datetime, timedelta

from api.schemas.transactions import TransactionCreate


def test_each_transaction_without_a_time_gets_its_own() -> None:
    body = {"amount": "1.00", "description": "Bread"}
    first, second = TransactionCreate.model_validate(body), TransactionCreate.model_validate(body)
    assert first.occurred_at <= second.occurred_at <= datetime.now(UTC) < first.occurred_at + timedelta(minutes=1)
