"""Logins and tokens: RFC 6749."""

from typing import Annotated, Literal

from pydantic import BaseModel, StringConstraints

from api.schemas.base import RequestBody, ResponseBody
from api.schemas.users import LONGEST_PASSWORD, Email


class LoginForm(BaseModel):
    """OAuth2's password form: RFC 6749, section 4.3.2; what we don't know is ignored, as section 3.2 asks."""

    grant_type: Literal["password"] = "password"
    username: Email
    password: Annotated[str, StringConstraints(max_length=LONGEST_PASSWORD)]


class RefreshRequest(RequestBody):
    """The refresh token that is to be spent."""

    refresh_token: str


class TokenPair(ResponseBody):
    """An access token for requests, and a refresh token that buys the next pair, once: section 5.1."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token, no secret
    expires_in: int
