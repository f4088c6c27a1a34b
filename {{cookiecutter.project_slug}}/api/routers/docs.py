"""The documentation page: Swagger UI, served from an installed package, so that it works offline."""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles

PATH = "/docs"
ASSETS = f"{PATH}/assets"

POLICY = (
    "default-src 'none'; script-src 'self' '{script}'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of the scripts, it allows the page's own file and, by its hash, the inline one: https://www.w3.org/TR/CSP3/."""


def add_docs_page(app: FastAPI) -> None:
    """Add the page and its assets to `app`."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]))
    app.add_route(PATH, docs_page, include_in_schema=False)


async def docs_page(request: Request) -> Response:
    """Return the page."""
    app: FastAPI = request.app
    root = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}{app.openapi_url}",
        title=escape(app.title),
        swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{root}{ASSETS}/favicon-32x32.png",
        swagger_ui_parameters={"persistAuthorization": True},
    )
    [script] = re.findall(rb"<script>(.*?)</script>", bytes(page.body), re.DOTALL)
    digest = b64encode(sha256(script).digest()).decode()
    page.headers["Content-Security-Policy"] = POLICY.format(script=f"sha256-{digest}")
    return page
