"""Users over HTTP."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.dependencies.auth import CurrentUserIdDep
from api.dependencies.users import UserServiceDep
from api.routers.problems import documented
from api.schemas.users import UserCreate, UserRead, UserUpdate

router = APIRouter(
    prefix="/v1/users",
    tags=["users"],
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)


@router.post("", status_code=HTTPStatus.CREATED, responses=documented(HTTPStatus.CONFLICT))
async def register_user(body: UserCreate, users: UserServiceDep, request: Request, response: Response) -> UserRead:
    user = await users.register(body)
    response.headers["Location"] = request.url_for("read_me").path
    return user


@router.get("/me", responses=documented(HTTPStatus.NOT_FOUND))
async def read_me(user_id: CurrentUserIdDep, users: UserServiceDep) -> UserRead:
    return await users.get(user_id)


@router.patch("/me", responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
async def update_me(body: UserUpdate, user_id: CurrentUserIdDep, users: UserServiceDep) -> UserRead:
    return await users.update(user_id, body)
