"""The documentation page of a generated project, in a real browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect, sync_playwright

from conftest import Bake
from serving import Server, serving
from web import ask

CHROMIUM = shutil.which("chromium")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")]

# In an order in which each finds what it needs.
OPERATIONS = [
    *("about", "livez", "readyz", "register_user", "log_in", "refresh_tokens", "read_me"),
    *("create_budget", "list_budgets", "read_budget", "read_budget_summary", "update_budget"),
    *("create_transaction", "list_transactions", "read_transaction", "delete_transaction", "delete_budget"),
    *("log_out", "update_me"),
]


@pytest.fixture(scope="module")
def server(bake: Bake, environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The default project in development, so that its documentation is public."""
    folder = tmp_path_factory.mktemp("browser")
    with serving(bake(), environment, folder, {"ENVIRONMENT": "development"}, in_development=True) as server:
        yield server


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """The page; at the end, it has requested nothing of other servers, and no error is in the console."""
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=CHROMIUM).new_page()
        page.goto(f"{server.url}/docs")
        expect(page.locator(".opblock").first).to_be_visible()
        yield page
        urls = [request.url for request in page.requests()]
        assert f"{server.url}/openapi.json" in urls
        assert [url for url in urls if not url.startswith(("data:", f"{server.url}/"))] == []
        assert [message.text for message in page.console_messages() if message.type == "error"] == []
        assert page.page_errors() == []


def test_every_operation_can_be_tried_on_the_documentation_page(page: Page, server: Server) -> None:
    schema = ask("GET", f"{server.url}/openapi.json").body
    operations = {each["operationId"]: each for path in schema["paths"].values() for each in path.values()}
    assert set(OPERATIONS) == set(operations)
    known: dict[str, str] = {}  # what no example can know: ids and a refresh token
    for name in OPERATIONS:
        response = try_out(page, name, known)
        assert response.ok, (name, response.text())
        if name == "register_user":
            example = schema["components"]["schemas"]["UserCreate"]["properties"]
            authorize(page, example["email"]["examples"][0], example["password"]["examples"][0])
        if name.startswith("create_"):
            known[f"{name.removeprefix('create_')}_id"] = response.json()["id"]
        if name in {"log_in", "refresh_tokens"}:
            known["refresh_token"] = response.json()["refresh_token"]


def try_out(page: Page, name: str, known: dict[str, str]) -> Response:
    """Execute an operation with the examples that the page fills in, and with the values that are known."""
    operation = page.locator(f".opblock[id$='-{name}']")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    for parameter, value in known.items():
        for field in operation.locator(f"[data-param-name='{parameter}'] input").all():
            field.fill(value)
    body = operation.locator("textarea.body-param__text")
    if body.count() and "refresh_token" in body.input_value():
        body.fill(json.dumps({"refresh_token": known["refresh_token"]}))
    with page.expect_response(lambda response: urlsplit(response.url).path != "/openapi.json") as responded:
        operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table .response .response-col_status")
    expect(status).to_contain_text(str(responded.value.status))
    operation.locator(".opblock-summary-control").click()
    return responded.value


def authorize(page: Page, username: str, password: str) -> None:
    """Log in as the user of the examples."""
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".dialog-ux")
    dialog.locator("#oauth_username").fill(username)
    dialog.locator("#oauth_password").fill(password)
    dialog.get_by_text("Authorize", exact=True).click()
    expect(dialog.get_by_text("Logout", exact=True)).to_be_visible()
    dialog.get_by_text("Close", exact=True).click()
