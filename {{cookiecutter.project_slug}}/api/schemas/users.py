"""Request and response bodies of users."""

from typing import Annotated
from uuid import UUID

from pydantic import MISSING, AfterValidator, EmailStr, Field, StringConstraints

from api.schemas.base import RequestBody, ResponseBody

MAX_EMAIL_LENGTH = 254
"""Characters: RFC 5321, erratum 1690."""

MAX_PASSWORD_LENGTH = 128
"""Characters."""

Email = Annotated[
    EmailStr,
    AfterValidator(str.lower),
    StringConstraints(max_length=MAX_EMAIL_LENGTH),
    Field(examples=["ada@example.com"]),
]

Password = Annotated[
    str,
    StringConstraints(min_length=12, max_length=MAX_PASSWORD_LENGTH),
    Field(examples=["correct horse battery"]),
]
"""A long password of any characters: NIST SP 800-63B, section 3.1.1.2."""


class UserCreate(RequestBody):
    """A new user."""

    email: Email
    password: Password


class UserUpdate(RequestBody):
    """The fields to change; one that is absent stays as it is, and null is refused."""

    email: Email | MISSING = MISSING
    password: Password | MISSING = MISSING


class UserRead(ResponseBody):
    """A user; neither the password nor its hash is in any response."""

    id: UUID
    email: str = Field(examples=["ada@example.com"])
