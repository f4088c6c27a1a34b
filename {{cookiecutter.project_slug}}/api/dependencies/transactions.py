"""The transaction service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.auth import CurrentUserIdDep  # option: auth
from api.dependencies.database import SessionDep
from api.services.transactions import TransactionService


async def get_transaction_service(
    owner_id: CurrentUserIdDep,  # first, so that a request without a token takes no connection  # option: auth
    session: SessionDep,
) -> TransactionService:
    """Create the service."""
    return TransactionService(
        session,
        owner_id,  # option: auth
    )


TransactionServiceDep = Annotated[TransactionService, Depends(get_transaction_service)]
