"""The user service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.database import DatabaseDep
from api.services.users import UserService


async def get_user_service(database: DatabaseDep) -> UserService:
    """Create the service."""
    return UserService(database.session)


UserServiceDep = Annotated[UserService, Depends(get_user_service)]
