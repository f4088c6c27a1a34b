"""The current user, and the service that issues tokens."""

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Request
from fastapi.requests import HTTPConnection
from fastapi.security import OAuth2PasswordBearer

from api.dependencies.database import DatabaseDep
from api.schemas.auth import LoginForm
from api.services.auth import AuthService
from api.services.errors import UnauthenticatedError
from api.services.security import TokenClaims, TokenType

bearer = OAuth2PasswordBearer(tokenUrl="/v1/auth/token", auto_error=False)


class TokenMissingError(UnauthenticatedError):
    """The request has no access token."""

    code, title = "token-missing", "Log in first"


async def get_current_user_id(request: Request, token: Annotated[str | None, Depends(bearer)]) -> UUID:
    """Return the id of the user of the access token, or raise `TokenMissingError` or `InvalidTokenError`."""
    if token is None:
        message = "Send the access token of a login: Authorization: Bearer TOKEN."
        raise TokenMissingError(message)
    return await authenticate(request, token)


async def authenticate(connection: HTTPConnection, token: str) -> UUID:
    """Return the id of the user of an access token whose session has not ended, or raise `InvalidTokenError`."""
    claims: TokenClaims = connection.state.signer.verify(TokenType.ACCESS, token)
    await connection.state.sessions.check(claims.session_id)
    return claims.user_id


async def get_auth_service(database: DatabaseDep, request: Request) -> AuthService:
    """Create the service."""
    return AuthService(database.session, request.state.signer, request.state.sessions)


async def get_address(request: Request) -> str:
    """Return the client's IP address; of IPv6 the /64 network, all of which one subscriber has: RFC 6177."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


AddressDep = Annotated[str, Depends(get_address)]
AuthServiceDep = Annotated[AuthService, Depends(get_auth_service)]
CurrentUserIdDep = Annotated[UUID, Depends(get_current_user_id)]
LoginFormDep = Annotated[LoginForm, Form()]
