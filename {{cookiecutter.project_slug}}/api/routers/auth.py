"""Logins over HTTP: OAuth2's password form (RFC 6749, section 4.3) and refresh tokens (section 6)."""

from http import HTTPStatus

from fastapi import APIRouter, Depends

from api.dependencies.auth import AddressDep, AuthServiceDep, LoginFormDep, forbid_storing
from api.routers.problems import documented
from api.schemas.auth import RefreshRequest, TokenPair

router = APIRouter(
    prefix="/v1/auth",
    tags=["auth"],
    dependencies=[Depends(forbid_storing)],
    responses=documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)


@router.post("/token", responses=documented(HTTPStatus.TOO_MANY_REQUESTS))
async def log_in(form: LoginFormDep, address: AddressDep, auth: AuthServiceDep) -> TokenPair:
    return await auth.login(form.username, form.password, address)


@router.post("/refresh")
async def refresh_tokens(body: RefreshRequest, auth: AuthServiceDep) -> TokenPair:
    return await auth.refresh(body.refresh_token)


@router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
async def log_out(body: RefreshRequest, auth: AuthServiceDep) -> None:
    await auth.logout(body.refresh_token)
