"""The health service of a request."""

from typing import Annotated

from fastapi import Depends, Request

from api.dependencies.database import SessionDep
from api.services.health import HealthService

HEALTH_ROUTES = frozenset({"/livez", "/readyz"})
"""Paths that an orchestrator requests every few seconds, with an IP address as the host."""


async def get_health_service(session: SessionDep, request: Request) -> HealthService:
    """Create the service."""
    return HealthService(session, old_revisions=request.state.old_revisions, stopping=request.state.stopping)


HealthServiceDep = Annotated[HealthService, Depends(get_health_service)]
