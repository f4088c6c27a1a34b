"""Tokens: RFC 6749, section 5.1."""

from typing import Literal

from api.schemas.base import RequestBody, ResponseBody


class RefreshRequest(RequestBody):
    """The refresh token that is to be spent."""

    refresh_token: str


class TokenPair(ResponseBody):
    """An access token for requests, and a refresh token that buys the next pair, once."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token, no secret
    expires_in: int
