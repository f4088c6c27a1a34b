"""The user service of a request."""

from typing import Annotated

from fastapi import Depends, Request

from api.dependencies.database import unit_of_work
from api.services.users import UserService


async def get_user_service(request: Request) -> UserService:
    """Make the service."""
    return UserService(unit_of_work(request))


UserServiceDep = Annotated[UserService, Depends(get_user_service)]
