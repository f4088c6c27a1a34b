"""The health service of a request."""

from typing import Annotated

from fastapi import Depends, Request

from api.dependencies.database import ConnectionDep
from api.services.health import HealthService

HEALTH_ROUTES = frozenset({"/livez", "/readyz"})
"""Machines ask them every few seconds, by our address."""


async def get_health_service(connection: ConnectionDep, request: Request) -> HealthService:
    """Make the service."""
    return HealthService(connection, old_revisions=request.state.old_revisions, stopping=request.state.stopping)


HealthServiceDep = Annotated[HealthService, Depends(get_health_service)]
