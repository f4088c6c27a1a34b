"""The user service of a request."""

from typing import Annotated

from fastapi import Depends, Request

from api.dependencies.database import DatabaseDep
from api.services.users import UserService


async def get_user_service(database: DatabaseDep, request: Request) -> UserService:
    """Create the service."""
    return UserService(database.session, request.state.sessions)


UserServiceDep = Annotated[UserService, Depends(get_user_service)]
