"""Who answers, whether it is alive, and whether it can work."""

from http import HTTPStatus

from fastapi import APIRouter, Request

from api.dependencies.health import HealthServiceDep
from api.routers import docs
from api.routers.problems import documented
from api.schemas.health import About, Health

router = APIRouter(tags=["health"])


@router.get("/")
async def about(request: Request) -> About:
    """Tell which backend this is."""
    app = request.app
    return About(name=app.title, version=app.version, docs=docs.PATH if app.openapi_url else None)


@router.get("/livez")
async def livez() -> Health:
    """Answer while the process works; touches nothing else."""
    return Health()


@router.get("/readyz", responses=documented(HTTPStatus.SERVICE_UNAVAILABLE))
async def readyz(health: HealthServiceDep) -> Health:
    """Answer while the database works and its schema is up to date."""
    await health.check()
    return Health()
