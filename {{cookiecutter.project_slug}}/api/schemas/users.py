"""Users, as clients see them."""

from typing import Annotated
from uuid import UUID

from pydantic import MISSING, AfterValidator, EmailStr, StringConstraints

from api.schemas.base import RequestBody, ResponseBody

LONGEST_EMAIL = 254
"""Characters: RFC 5321, erratum 1690."""

LONGEST_PASSWORD = 128
"""Characters."""

Email = Annotated[EmailStr, AfterValidator(str.lower), StringConstraints(max_length=LONGEST_EMAIL)]

Password = Annotated[str, StringConstraints(min_length=12, max_length=LONGEST_PASSWORD)]
"""Long, and free in what it is made of: NIST SP 800-63B, section 3.1.1.2."""


class UserCreate(RequestBody):
    """A new user."""

    email: Email
    password: Password


class UserUpdate(RequestBody):
    """What to change; a field that is absent stays as it is, and null is refused."""

    email: Email | MISSING = MISSING
    password: Password | MISSING = MISSING


class UserRead(ResponseBody):
    """A user; the password is never shown."""

    id: UUID
    email: str
