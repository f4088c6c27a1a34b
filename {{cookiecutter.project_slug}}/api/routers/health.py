"""The root, which names the API, and the health routes."""

from fastapi import APIRouter, Request

from api.dependencies.health import HealthServiceDep
from api.routers import docs
from api.routers.problems import problem_responses
from api.schemas.health import About, Health

router = APIRouter(tags=["health"])


@router.get("/")
async def about(request: Request) -> About:
    """Return the name and version of the API."""
    app = request.app
    return About(name=app.title, version=app.version, docs=docs.PATH if app.openapi_url else None)


@router.get("/livez")
async def livez() -> Health:
    """Return 200 while the process runs; the database is not used."""
    return Health()


@router.get("/readyz", responses=problem_responses(503))
async def readyz(health: HealthServiceDep) -> Health:
    """Return 200 while the database responds and its schema is not older than the code, else 503."""
    await health.check()
    return Health()
