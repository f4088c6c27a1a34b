"""The application factory `create_app()`, and `app`, which a server runs."""

import asyncio
import logging  # option: auth
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware  # option: auth

from api import DESCRIPTION, TITLE, VERSION
from api.dependencies import migrations
from api.dependencies.database import Database
from api.dependencies.logs import configure_logging
from api.dependencies.middleware.access_log import AccessLogMiddleware
from api.dependencies.middleware.allowed_hosts import AllowedHostsMiddleware
from api.dependencies.middleware.body_limit import BodyLimitMiddleware
from api.dependencies.middleware.head import HeadMiddleware
from api.dependencies.middleware.request_id import RequestIdMiddleware
from api.dependencies.middleware.security_headers import SecurityHeadersMiddleware
from api.dependencies.settings import Settings, load_settings
from api.dependencies.telemetry import Telemetry  # option: telemetry
from api.routers import (
    auth,  # option: auth
    budgets,  # option: example
    docs,
    health,
    problems,
    transactions,  # option: example
    users,  # option: auth
)
from api.services.security import TokenSigner  # option: auth
from api.services.sessions import ActiveSessions  # option: auth


class State(TypedDict):
    """The lifespan state: what exists once in an application, as attributes of `request.state`."""

    database: Database
    old_revisions: frozenset[str | None]
    stopping: bool
    signer: TokenSigner  # option: auth
    sessions: ActiveSessions  # option: auth


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application, by default with the settings of the environment; it opens no connection before it starts."""
    settings = settings or load_settings()
    configure_logging(settings.log_level, as_json=settings.in_production)
    signer = TokenSigner(settings.secret_key.get_secret_value(), issuer=TITLE)  # option: auth
    # option: auth
    if settings.in_production and not settings.forwarded_allow_ips:
        message = "FORWARDED_ALLOW_IPS is not set: behind a proxy, the limits on logins apply to all clients together"
        logging.getLogger(__name__).warning(message)
    # end: auth
    telemetry = Telemetry(settings.environment)  # option: telemetry

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        if settings.database_url is None:
            await asyncio.to_thread(migrations.upgrade, settings)
        async with (
            telemetry,  # option: telemetry
            Database(settings) as database,
        ):
            telemetry.start(database.engine.sync_engine)  # option: telemetry
            yield State(
                database=database,
                old_revisions=migrations.old_revisions(),
                stopping=False,
                signer=signer,  # option: auth
                sessions=ActiveSessions(database.session),  # option: auth
            )

    app = problems.ProblemDetailsAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=VERSION,
        lifespan=lifespan,
        openapi_url="/openapi.json" if settings.shows_docs else None,
        docs_url=None,
        redoc_url=None,
        form_limits={"max_fields": 100, "max_files": 100, "max_part_size": 16 * 1024},
        redirect_slashes=False,  # a redirect repeats a password, over plain HTTP behind a proxy
        generate_unique_id_function=lambda route: route.name,
        telemetry=telemetry.config,  # option: telemetry
    )
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    if settings.allowed_hosts:
        app.add_middleware(AllowedHostsMiddleware, hosts=settings.allowed_hosts)
    problems.register_exception_handlers(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(SecurityHeadersMiddleware, https_only=settings.in_production)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(
        AccessLogMiddleware,
        record_duration=telemetry.record_duration,  # option: telemetry
    )
    app.add_middleware(RequestIdMiddleware)
    # option: auth
    if settings.forwarded_allow_ips:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[str(proxy) for proxy in settings.forwarded_allow_ips])
    # end: auth
    if settings.shows_docs:
        docs.add_docs_page(app)
    app.include_router(health.router)
    # option: example
    app.include_router(budgets.router)
    app.include_router(transactions.router)
    # end: example
    # option: auth
    app.include_router(users.router)
    if settings.registration == "open":
        app.include_router(users.registration)
    app.include_router(auth.router)
    # end: auth
    return app


app = create_app()
