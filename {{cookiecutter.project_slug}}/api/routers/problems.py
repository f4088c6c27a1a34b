"""Error responses: every exception becomes a problem after RFC 9457."""

import logging
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from http.client import responses as phrases
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.utils import is_body_allowed_for_status_code
from opentelemetry import trace  # option: telemetry
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.dependencies.middleware.request_id import current_request_id
from api.schemas.problems import FieldError, Problem
from api.services.errors import (
    ConflictError,
    ForbiddenError,  # option: auth
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

BODY_STATUSES = (400, 408, 413)
"""The statuses of requests whose body can't be read, is too slow or too large."""

MAX_FIELD_ERRORS = 100
"""How many a response reports."""

STATUS_BY_KIND: dict[type[ServiceError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    # option: auth
    InvalidError: 422,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    TooManyAttemptsError: 429,
    # end: auth
    UnavailableError: 503,
}


class ProblemDetailsAPI(FastAPI):
    """An application that documents problems in its OpenAPI schema.

    FastAPI has no setting for their media type, nor for those of all routes with a body or a login.
    """

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI schema."""
        if self.openapi_schema is None:
            schema = super().openapi()
            for operation in (operation for path in schema["paths"].values() for operation in path.values()):
                statuses = BODY_STATUSES if "requestBody" in operation else ()
                statuses = (*statuses, 401) if "security" in operation else statuses  # option: auth
                operation["responses"] |= problem_responses(*statuses)
            _, schemas = models_json_schema([(Problem, "serialization")], ref_template=SCHEMAS)
            schema["components"]["schemas"] |= schemas["$defs"]
        return super().openapi()


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may respond with problems of these statuses."""
    documented: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        title, request_id = phrases[status], "0198c2a1-7b3e-7c54-9f60-2d1e8a4b5c6d"
        example = Problem(title=title, status=status, detail="The reason.", instance="/path", request_id=request_id)
        schema = {"$ref": SCHEMAS.format(model=Problem.__name__)}
        content = {MEDIA_TYPE: {"schema": schema, "example": example.model_dump(exclude_none=True)}}
        documented[str(status)] = {"description": title, "content": content}
    return documented


def register_exception_handlers(app: FastAPI) -> None:
    """Turn the exceptions of `app` into problems."""
    app.exception_handler(ServiceError)(on_service_error)
    app.exception_handler(RequestValidationError)(on_invalid_request)
    app.exception_handler(HTTPException)(on_http_exception)
    app.add_middleware(ProblemMiddleware)


async def on_service_error(request: Request, error: ServiceError) -> Response:
    """Respond to the error of a service with the status of its kind."""
    status = next(status for kind, status in STATUS_BY_KIND.items() if isinstance(error, kind))
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if isinstance(error, UnavailableError):
        logger.warning("unavailable: %s (%s)", error, error.__cause__)
    # option: auth
    if isinstance(error, UnauthenticatedError):
        headers["WWW-Authenticate"] = "Bearer"
    # end: auth
    return _respond(request, status, error.detail, headers, type=f"urn:problem:{error.code}", title=error.title)


async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Respond with what is not valid, but without the values of the request, which may be secret."""
    errors = [FieldError.model_validate(each) for each in error.errors()[:MAX_FIELD_ERRORS]]
    return _respond(request, 422, "The request is not valid.", errors=errors)


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """Respond to an `HTTPException`; a detail that is not a string becomes the `context` of the problem."""
    status, headers = error.status_code, dict(error.headers or {})
    if not is_body_allowed_for_status_code(status):
        return Response(status_code=status, headers=headers)
    if status == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed_methods(request)):
        headers["Allow"] = ", ".join(allowed)
    if isinstance(error.detail, str):  # that of FastAPI's own class can be any value
        return _respond(request, status, error.detail, headers)
    return _respond(request, status, "The member `context` has the details.", headers, context=error.detail)


class ProblemMiddleware:
    """Responds to what middleware raises, and to an unhandled exception with a 500 that reveals nothing of it.

    Starlette's own handler lies outside all middleware: its response would have no request id and no CORS headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; what is raised within a response is left to the server, which logs it and disconnects."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = complete = False

        async def send_and_record(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self.app(scope, receive, send_and_record)
        except Exception as error:
            if isinstance(error, ResponseValidationError):
                for each in error.errors():
                    each.pop("input", None)  # it is logged, and has values of rows
            if started and not complete:
                raise
            if isinstance(error, HTTPException) and not started:
                response = await on_http_exception(Request(scope), error)
            else:
                logger.exception("unhandled exception")
                trace.get_current_span().set_attribute("exception.type", type(error).__qualname__)  # option: telemetry
                response = _respond(Request(scope), 500, "The server has failed to handle the request.")
            if not started:
                await response(scope, receive, send)


def _allowed_methods(request: Request) -> list[str]:
    """Return all methods of a path; Starlette names only those of its first route, and FastAPI leaves out HEAD."""
    routes: list[BaseRoute] = request.app.routes
    scopes = ({**request.scope, "method": method.value} for method in HTTPMethod)
    methods = {scope["method"] for scope in scopes if any(route.matches(scope)[0] is Match.FULL for route in routes)}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _respond(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, **members: object
) -> Response:
    problem = Problem.model_validate(
        {
            "title": phrases.get(status, f"Status {status}"),
            "status": status,
            "detail": detail,
            "instance": request.url.path,
            "request_id": current_request_id.get(),
            **members,
        }
    )
    trace.get_current_span().set_attribute("problem.type", problem.type)  # option: telemetry
    return Response(problem.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)
