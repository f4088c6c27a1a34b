"""Problems: what we answer where we can't do what was asked, after RFC 9457."""

from pydantic import BaseModel, Field


class InvalidPart(BaseModel):
    """One part of a request that breaks a rule."""

    loc: list[str | int] = Field(examples=[["body", "name"]])
    msg: str
    type: str


class Problem(BaseModel):
    """A problem; `errors` stands there where the request itself is invalid."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    request_id: str | None
    errors: list[InvalidPart] | None = None
