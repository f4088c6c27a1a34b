"""The endpoints of users."""

from fastapi import APIRouter, Request, Response

from api.dependencies.auth import AddressDep, CurrentUserIdDep
from api.dependencies.users import UserServiceDep
from api.models import User
from api.routers.problems import problem_responses
from api.schemas.users import UserCreate, UserRead, UserUpdate

router = APIRouter(prefix="/v1/users", tags=["users"], responses=problem_responses(422, 503))
registration = APIRouter(prefix="/v1/users", tags=["users"], responses=problem_responses(422, 503))


@registration.post("", status_code=201, response_model=UserRead, responses=problem_responses(409, 429))
async def register_user(
    body: UserCreate, address: AddressDep, users: UserServiceDep, request: Request, response: Response
) -> User:
    user = await users.register(body, address)
    response.headers["Location"] = f"{request.url.path}/me"
    return user


@router.get("/me", response_model=UserRead)
async def read_me(user_id: CurrentUserIdDep, users: UserServiceDep) -> User:
    return await users.get(user_id)


@router.patch("/me", response_model=UserRead, responses=problem_responses(403, 409, 429))
async def update_me(body: UserUpdate, user_id: CurrentUserIdDep, address: AddressDep, users: UserServiceDep) -> User:
    return await users.update(user_id, body, address)
