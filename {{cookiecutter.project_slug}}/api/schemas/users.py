"""Request and response bodies of users."""

from typing import Annotated
from uuid import UUID

from pydantic import MISSING, AfterValidator, EmailStr, Field

from api.schemas.base import RequestBody, ResponseBody

Email = Annotated[EmailStr, AfterValidator(str.lower), Field(max_length=254, examples=["ada@example.com"])]
"""A lower-case e-mail address, of the length of RFC 5321, erratum 1690."""

Password = Annotated[
    str,
    Field(max_length=128, examples=["seven green owls knit"], json_schema_extra={"format": "password"}),
]
"""A password to compare, which may be older than the rules for a new one."""

NewPassword = Annotated[Password, Field(min_length=15)]
"""A long password of any characters: NIST SP 800-63B-4, section 3.1.1.2."""


class UserCreate(RequestBody):
    """A new user."""

    email: Email
    password: NewPassword


class UserUpdate(RequestBody):
    """The fields to change; one that is absent stays as it is, and null is refused."""

    current_password: Password

    email: Email | MISSING = MISSING
    password: NewPassword | MISSING = MISSING


class UserRead(ResponseBody):
    """A user; neither the password nor its hash is in any response."""

    id: UUID
    email: str = Field(examples=["ada@example.com"])
