"""The endpoints of logins: the password grant of OAuth 2.0 (RFC 6749, section 4.3) and refresh tokens (section 6)."""

from fastapi import APIRouter

from api.dependencies.auth import AddressDep, AuthServiceDep, LoginFormDep
from api.routers.problems import problem_responses
from api.schemas.auth import RefreshRequest, TokenPair
from api.services.auth import IssuedTokens

router = APIRouter(prefix="/v1/auth", tags=["auth"], responses=problem_responses(401, 422, 503))


@router.post("/token", response_model=TokenPair, responses=problem_responses(429))
async def log_in(form: LoginFormDep, address: AddressDep, auth: AuthServiceDep) -> IssuedTokens:
    return await auth.login(form.username, form.password, address)


@router.post("/refresh", response_model=TokenPair)
async def refresh_tokens(body: RefreshRequest, auth: AuthServiceDep) -> IssuedTokens:
    return await auth.refresh(body.refresh_token)


@router.post("/logout", status_code=204)
async def log_out(body: RefreshRequest, auth: AuthServiceDep) -> None:
    await auth.logout(body.refresh_token)
