"""Request and response bodies of logins: OAuth 2.0, RFC 6749."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.base import RequestBody, ResponseBody
from api.schemas.users import Email, Password


class LoginForm(BaseModel):
    """The form of the password grant: section 4.3.2; unknown parameters are ignored, as section 3.2 requires."""

    grant_type: Literal["password"] = Field(default="password", examples=["password"])
    username: Email
    password: Password


class RefreshRequest(RequestBody):
    """A refresh token."""

    refresh_token: str = Field(examples=["the refresh_token of a login"])


class TokenPair(ResponseBody):
    """An access token for requests, and a refresh token, which can be exchanged once for new ones: section 5.1."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token, no secret
    expires_in: int
