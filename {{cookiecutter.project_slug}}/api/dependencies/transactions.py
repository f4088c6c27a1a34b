"""The transaction service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.database import SessionDep
from api.services.transactions import TransactionService


def get_transaction_service(session: SessionDep) -> TransactionService:
    """Make the service."""
    return TransactionService(session)


TransactionServiceDep = Annotated[TransactionService, Depends(get_transaction_service)]
