"""The user service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.database import ConnectionDep
from api.services.users import UserService


async def get_user_service(connection: ConnectionDep) -> UserService:
    """Make the service."""
    return UserService(connection)


UserServiceDep = Annotated[UserService, Depends(get_user_service)]
