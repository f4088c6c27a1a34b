"""The user service of a request."""

from typing import Annotated

from fastapi import Depends

from api.dependencies.database import SessionDep
from api.services.users import UserService


async def get_user_service(session: SessionDep) -> UserService:
    """Make the service."""
    return UserService(session)


UserServiceDep = Annotated[UserService, Depends(get_user_service)]
