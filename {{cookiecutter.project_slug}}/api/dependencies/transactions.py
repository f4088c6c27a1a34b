"""The transaction service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.auth import CurrentUserIdDep  # option: auth
from api.dependencies.database import ConnectionDep
from api.services.transactions import TransactionService


async def get_transaction_service(
    owner_id: CurrentUserIdDep,  # asked for first: a stranger takes nobody's turn  # option: auth
    connection: ConnectionDep,
) -> TransactionService:
    """Make the service."""
    return TransactionService(
        connection,
        owner_id,  # option: auth
    )


TransactionServiceDep = Annotated[TransactionService, Depends(get_transaction_service)]
