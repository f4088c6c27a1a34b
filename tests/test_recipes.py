"""The recipes of a generated project: each is applied to a fresh one, as a reader does, and works over HTTP."""

import os
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from conftest import TEMPLATE, Bake, Project
from engine import attempt, docker, needs_engine
from recipes import PAGE, WEBSOCKET, Rates, Served, apply, call, changes, recipes, succeed
from serving import migrate, serving, wait_until
from web import free_port, sign_in, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")]

TITLES = re.findall(r"(?m)^## (.*)$", (TEMPLATE / PAGE).read_text(encoding="utf-8"))
FOOD, RENT = {"name": "Food", "limit": "9.50"}, {"name": "Rent", "limit": "700.00"}

ROWS = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)
INSERT INTO transactions (id, budget_id, amount, description, occurred_at)
SELECT printf('%032x', n), ?, n, 'Bread', '2026-01-01 00:00:00' FROM numbers
"""


@pytest.fixture
def rates() -> Iterator[str]:
    """The address of another service."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Rates) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def copied(bake: Bake, environment: Path, tmp_path: Path) -> Callable[..., Project]:
    """Copy a project to write into, with a virtual environment that is up to date."""

    def copied(**answers: bool) -> Project:
        project = Project(shutil.copytree(bake(**answers).path, tmp_path / "copy"))
        (project.path / "venv").symlink_to(environment.parent)
        os.utime(project.path / "requirements-dev.txt", (0, 0))
        return project

    return copied


def a_field_is_written_and_emptied(served: Served) -> None:
    budget = served.create({**FOOD, "note": "For guests"})
    assert served.ask("GET", budget).body["note"] == "For guests"
    assert served.ask("PATCH", budget, {"note": None}).body["note"] is None


def a_list_is_filtered_and_sorted(served: Served) -> None:
    for body in (RENT, FOOD, {"name": "Foot", "limit": "50.00"}):
        served.create(body)
    assert served.names() == ["Rent", "Food", "Foot"]
    assert served.names("?sort=name") == ["Food", "Foot", "Rent"]
    assert served.names("?sort=-limit&limit=2") == ["Rent", "Foot"]
    assert served.names("?q=FOO") == ["Food", "Foot"]
    assert served.names("?q=%25") == []
    assert served.ask("GET", "/budgets?sort=colour").status == 422


def a_tag_is_added_once_and_goes_with_its_budget(served: Served) -> None:
    budget = served.create(FOOD)
    tag = served.ask("POST", "/tags", {"name": "home"}).body["id"]
    assert [served.ask("PUT", f"{budget}/tags/{tag}").status for _ in range(2)] == [204, 204]
    assert served.ask("PUT", f"{budget}/tags/{uuid4()}").status == 404
    assert served.sql("SELECT count(*) FROM budget_tags") == [(1,)]
    assert served.ask("DELETE", budget).status == 204
    assert served.sql("SELECT count(*) FROM budget_tags") == [(0,)]
    assert served.ask("DELETE", f"/tags/{tag}").status == 204


def all_rows_are_streamed(served: Served) -> None:
    budget = served.create(FOOD)
    served.sql(ROWS, UUID(budget[-36:]).hex)
    with closing(HTTPConnection(served.url.removeprefix("http://"), timeout=10)) as connection:
        connection.request("GET", f"/v1{budget}/transactions.csv", headers={"Authorization": f"Bearer {served.token}"})
        response = connection.getresponse()
        header, *lines = response.read().decode().splitlines()
    assert response.headers["Content-Type"].startswith("text/csv")
    assert (header, len(lines), lines[-1]) == ("id,amount", 2500, f"{UUID(int=2500)},25.00")
    assert served.ask("GET", f"/budgets/{uuid4()}/transactions.csv").status == 404


def work_is_done_after_the_response(served: Served) -> None:
    budget = served.create(FOOD, "1.00")
    served.sql("UPDATE budgets SET transaction_count = 9")
    assert served.ask("POST", f"{budget}/recount").status == 202
    wait_until(lambda: served.ask("GET", f"{budget}/summary").body["transactions"] == 1, "the work is done")


def what_fails_leaves_the_rest(served: Served) -> None:
    created = served.ask("POST", "/budgets:import", [FOOD, RENT, FOOD])
    assert (created.status, [budget["name"] for budget in created.body]) == (201, ["Food", "Rent"])
    assert served.names() == ["Food", "Rent"]


def a_websocket_is_answered_or_closed(served: Served) -> None:
    def talk(*messages: str, budget: str = served.create(FOOD, "1.00")) -> str:
        url = f"ws{served.url.removeprefix('http')}/v1{budget}/remaining"
        done = served.project.run("venv/bin/python", "-c", WEBSOCKET, url, *messages)
        return done.stdout or done.stderr

    login = [served.token] if served.token else []
    assert talk(*login, "?", "?") == "8.50\n"
    assert "1008" in talk(*login, "?", budget=f"/budgets/{uuid4()}")
    if served.token:
        assert "1008" in talk("forged")


def another_service_that_is_slow_is_a_503(served: Served) -> None:
    assert served.ask("GET", "/budgets/rates/EUR").body == "1.10"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rates, "seconds", 5)
        late = served.ask("GET", "/budgets/rates/USD")
    assert (late.status, late.body["type"]) == (503, "urn:problem:rates-unavailable")
    assert served.ask("GET", "/budgets/rates/eur").status == 422


def a_script_changes_the_database(served: Served) -> None:
    served.create(FOOD, "1.00")
    served.create(RENT)
    settings = {"DATABASE_URL": f"sqlite:///{served.file}"}
    assert "removed 1 budgets" in succeed(served.project, "venv/bin/python", "-m", "scripts.remove_unused", **settings)
    assert served.names() == ["Food"]


def pages_follow_a_key(served: Served) -> None:
    history = f"{served.create(FOOD, '1.00', '2.00', '3.00')}/history"
    first = served.ask("GET", f"{history}?limit=2").body
    second = served.ask("GET", f"{history}?limit=2&after={first[-1]['id']}").body
    assert [each["amount"] for each in (*first, *second)] == ["1.00", "2.00", "3.00"]
    assert served.ask("GET", f"{history}?after={second[-1]['id']}").body == []
    assert served.ask("GET", f"{history}?limit=101").status == 422
    assert served.ask("GET", f"/budgets/{uuid4()}/history").status == 404


CHECKS = {
    "Add a field": a_field_is_written_and_emptied,
    "Filter and sort a list": a_list_is_filtered_and_sorted,
    "Relate many to many": a_tag_is_added_once_and_goes_with_its_budget,
    "Stream a CSV": all_rows_are_streamed,
    "Work after the response": work_is_done_after_the_response,
    "A transaction of your own": what_fails_leaves_the_rest,
    "A WebSocket": a_websocket_is_answered_or_closed,
    "Call another service": another_service_that_is_slow_is_a_503,
    "A scheduled script": a_script_changes_the_database,
    "Page through millions of rows": pages_follow_a_key,
}


def work(project: Project, environment: Path, titles: Iterable[str], servers: tuple[str, ...]) -> None:
    """Run the checks of these recipes under each server."""
    for server in servers:
        folder = project.path.with_name(server)
        folder.mkdir()
        settings = {"DATABASE_URL": migrate(project, environment, f"sqlite:///{folder / 'app.db'}")}
        in_development = server == "uvicorn"
        with serving(project, environment, folder, settings, in_development=in_development) as running:
            token = sign_in(running.url) if project.has("api/routers/auth.py") else ""
            served = Served(project, running.url, token, folder / "app.db")
            for title in titles:
                CHECKS[title](served)
                served.clear()
            assert "Traceback" not in running.log(), running.log()


@pytest.mark.parametrize("title", TITLES)
def test_a_recipe_works_as_it_stands(copied: Callable[..., Project], environment: Path, rates: str, title: str) -> None:
    project = copied()
    recipe = recipes(project)[title]
    apply(project, recipe)
    call(project, rates)
    work(project, environment, [title], ("uvicorn",))
    succeed(project, "make", "lint", *(["test"] if "api/models/" in recipe else []))


@pytest.mark.parametrize("auth", [True, False])
def test_all_recipes_work_together(
    copied: Callable[..., Project], environment: Path, rates: str, *, auth: bool
) -> None:
    project = copied(auth=auth)
    for recipe in recipes(project).values():
        apply(project, recipe)
    call(project, rates)
    succeed(project, "make", "lint", "test", *(["fuzz"] if auth else []))
    work(project, environment, CHECKS, ("uvicorn", "gunicorn"))


@pytest.mark.docker
@needs_engine
def test_all_recipes_run_in_the_image(copied: Callable[..., Project], tmp_path: Path) -> None:
    project = copied()
    for recipe in recipes(project).values():
        apply(project, recipe)
    docker("build", "--quiet", "--tag", "budget-api-recipes", project.path)
    port = free_port()
    container = docker("run", "--detach", "--publish", f"127.0.0.1:{port}:5000", "budget-api-recipes")
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        served = Served(project, f"http://127.0.0.1:{port}", sign_in(f"http://127.0.0.1:{port}"), tmp_path)
        for title in ("A WebSocket", "A transaction of your own", "Page through millions of rows"):
            CHECKS[title](served)
            served.clear()
        done = attempt("exec", container, "python", "-m", "scripts.remove_unused")
        assert "removed 0 budgets" in done.stdout + done.stderr
    finally:
        docker("rm", "--force", "--volumes", container)


def test_a_recipe_has_at_most_25_lines_of_code(bake: Bake) -> None:
    for title, recipe in recipes(bake()).items():
        code = "".join(code for _, _, code in changes(recipe))
        lines = [line for line in code.splitlines() if line.strip() not in {"", "..."}]
        assert len(lines) <= 25, title
