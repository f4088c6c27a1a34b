"""Error responses: problem details after RFC 9457."""

from pydantic import BaseModel, Field


class FieldError(BaseModel):
    """A part of a request that is not valid: where it is, and why."""

    loc: list[str | int] = Field(examples=[["body", "name"]])
    msg: str
    type: str


class Problem(BaseModel):
    """Problem details; `errors` is present if the request is not valid, `context` if the error has such a detail."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path of the request.")
    request_id: str | None
    errors: list[FieldError] | None = None
    context: object = Field(default=None, description="The detail of an error, where that is not a string.")
