"""Every error as a problem after RFC 9457: our own, the framework's, and the unforeseen."""

import logging
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dependencies.middleware.request_id import current_request_id
from api.schemas.problems import InvalidPart, Problem
from api.services.errors import (
    ConflictError,
    InvalidError,  # option: auth
    NotFoundError,
    ServiceError,
    TooManyAttemptsError,  # option: auth
    UnauthenticatedError,  # option: auth
    UnavailableError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
SCHEMAS = "#/components/schemas/{model}"

UNREADABLE = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""What whoever sends a body may hear before it is looked at."""

STATUS_BY_KIND: dict[type[ServiceError], HTTPStatus] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    # option: auth
    InvalidError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    TooManyAttemptsError: HTTPStatus.TOO_MANY_REQUESTS,
    # end: auth
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}

INTERNAL_ERROR = "Something went wrong on our side."

OUTAGE_SECONDS = 1
"""After so long an outage is worth another try."""


class ProblemDetailsAPI(FastAPI):
    """An application whose OpenAPI page tells of problems what FastAPI can't be told.

    They have their own media type, and some answer whatever has a body, or needs a login.
    """

    def openapi(self) -> dict[str, Any]:
        """Describe the API."""
        if self.openapi_schema is None:
            page = super().openapi()
            for operation in (operation for path in page["paths"].values() for operation in path.values()):
                statuses = UNREADABLE if "requestBody" in operation else ()
                # option: auth
                if "security" in operation:
                    statuses = (*statuses, HTTPStatus.UNAUTHORIZED)
                # end: auth
                operation["responses"] |= documented(*statuses)
            _, schemas = models_json_schema([(Problem, "serialization")], ref_template=SCHEMAS)
            page["components"]["schemas"] |= schemas["$defs"]
        return super().openapi()


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Name the problems that a route may answer with, for the OpenAPI page."""
    content = {MEDIA_TYPE: {"schema": {"$ref": SCHEMAS.format(model=Problem.__name__)}}}
    return {str(status.value): {"description": status.phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.exception_handler(ServiceError)(on_service_error)
    app.exception_handler(RequestValidationError)(on_invalid_request)
    app.exception_handler(ResponseValidationError)(on_invalid_response)
    app.exception_handler(HTTPException)(on_http_exception)
    app.add_middleware(RaisedAsProblem)


async def on_service_error(request: Request, error: ServiceError) -> Response:
    """Find the status of the error's kind."""
    status = next(status for kind, status in STATUS_BY_KIND.items() if isinstance(error, kind))
    if isinstance(error, UnavailableError):
        logger.warning("unavailable: %s (%s)", error, error.__cause__)
    return _answer(
        request,
        status,
        type_=f"urn:problem:{error.code}",
        title=error.title,
        detail=error.detail,
        headers=_headers(error),
    )


async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Say what is wrong, without repeating what was sent: it may be secret."""
    errors = [InvalidPart.model_validate(part) for part in error.errors()]
    return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail="The request is not valid.", errors=errors)


async def on_invalid_response(request: Request, error: ResponseValidationError) -> Response:
    """Log what is wrong without the values, which the message of the exception repeats."""
    errors = [f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()]
    logger.error("invalid response of %s: %s", error.endpoint_path, "; ".join(errors))
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail=INTERNAL_ERROR)


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """Give the framework's own errors the same shape."""
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed_methods(request)):
        headers = {"Allow": ", ".join(allowed)}
    return _answer(request, HTTPStatus(error.status_code), detail=error.detail, headers=headers)


class RaisedAsProblem:
    """Answer what middleware raises; and an error that nobody foresaw without giving anything away: the log tells.

    Starlette's own place for this lies outside all middleware: such an answer would lack the request id and what CORS
    adds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; where the answer has begun already, only the server can end it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        begun = complete = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun, complete
            begun = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if complete:  # in a background task or the exit of a dependency: not every server logs it
                logger.exception("unhandled exception after the response")
                return
            if begun:
                raise
            request = Request(scope)
            if isinstance(error, HTTPException):
                answer = await on_http_exception(request, error)
            else:
                logger.exception("unhandled exception")
                answer = _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail=INTERNAL_ERROR)
            await answer(scope, receive, send)


def _allowed_methods(request: Request) -> list[str]:
    """Name the methods of a path, where the framework names those of its first route."""
    routes: list[BaseRoute] = request.app.routes
    asked = ({**request.scope, "method": method.value} for method in HTTPMethod)
    return [scope["method"] for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def _headers(error: ServiceError) -> dict[str, str]:
    """Say what a client needs beside the problem: RFC 9110, sections 10.2.3 and 11.6.1."""
    # option: auth
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyAttemptsError):
        return {"Retry-After": str(error.retry_after)}
    # end: auth
    return {"Retry-After": str(OUTAGE_SECONDS)} if isinstance(error, UnavailableError) else {}


def _answer(
    request: Request,
    status: HTTPStatus,
    *,
    detail: str,
    type_: str = "about:blank",
    title: str | None = None,
    errors: list[InvalidPart] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = Problem(
        type=type_,
        title=title or status.phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=current_request_id.get(),
        errors=errors,
    )
    content = problem.model_dump_json(exclude_none=True)
    return Response(content, status, headers, MEDIA_TYPE)
