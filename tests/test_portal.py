"""Portals: the `template.yaml` for Backstage on the page for teams renders the template."""

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import NOTHING, ROOT, Answer, Bake, Project, run, tool
from repository import commit, git
from scripts import backstage
from test_project import block_with

TEMPLATE_YAML: dict[str, Any] = yaml.safe_load(backstage.template_yaml())
STEPS = {step["action"]: step["input"] for step in TEMPLATE_YAML["spec"]["steps"]}
(FORM,) = TEMPLATE_YAML["spec"]["parameters"]

Fetch = Callable[..., Project]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Do what the action `fetch:cookiecutter` does in `cookiecutter.ts` of Backstage, and publish the result."""

    def fetch(**parameters: Answer) -> Project:
        contents = tmp_path / "template" / "{{cookiecutter and 'contents'}}"
        for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
            if (ROOT / name).is_file():
                (contents / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, contents / name)
        given = STEPS["fetch:cookiecutter"]
        context = json.loads((contents / "cookiecutter.json").read_text(encoding="utf-8"))
        context |= {name: filled(value, parameters) for name, value in given["values"].items()}
        context["_copy_without_render"] = given["copyWithoutRender"]
        (tmp_path / "template/cookiecutter.json").write_text(json.dumps(context), encoding="utf-8")
        command = (
            tool("cookiecutter"),
            "--no-input",
            "-o",
            tmp_path / "intermediate",
            tmp_path / "template",
            "--verbose",
        )
        done = run(command, cwd=tmp_path, env={"HOME": str(tmp_path), "COOKIECUTTER_CONFIG": ""})
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.move(tmp_path / "intermediate/contents", tmp_path / given["targetPath"])
        return Project(tmp_path / str(filled(STEPS["publish:github"]["sourcePath"], parameters)))

    return fetch


def filled(value: str, parameters: Mapping[str, Answer]) -> Answer:
    """Replace `${{ parameters.name }}`, which keeps its type where there is nothing beside it."""
    whole = re.fullmatch(r"\$\{\{ parameters\.(\w+) \}\}", value)
    return (
        parameters[whole[1]]
        if whole
        else re.sub(r"\$\{\{ parameters\.(\w+) \}\}", lambda name: str(parameters[name[1]]), value)
    )


def test_the_page_for_teams_has_the_template_of_the_questions() -> None:
    assert backstage.template_yaml() in backstage.PAGE.read_text(encoding="utf-8"), "run python -m scripts.backstage"


@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
@pytest.mark.parametrize("answers", [{}, NOTHING], ids=["the defaults", "no option"])
def test_a_project_of_the_portal_is_finished_by_hand_and_is_as_any_other(
    bake: Bake, fetch: Fetch, answers: dict[str, Answer]
) -> None:
    defaults = {name: field["default"] for name, field in FORM["properties"].items() if "default" in field}
    project = fetch(**{**defaults, "project_slug": "budget-api", **answers})
    git(project.path, "init", "--quiet")
    git(project.path, "config", "user.name", "Ada")
    git(project.path, "config", "user.email", "ada@example.com")
    commit(project.path, "Publish")
    done = project.run("bash", "-ec", block_with("finish.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(project.path, "status", "--porcelain") == ""
    shutil.rmtree(project.path / ".git")
    expected = bake(**answers)
    assert project.files() == expected.files()
    for name in set(expected.files()) - {".env"}:
        assert project.text_without_answers(name) == expected.text_without_answers(name)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("project_name", ("Café 🍪 {", "x" * 200), ("", "x" * 201, "{{ 7 * 7 }}", "{% raw %}", "# option: auth")),
        ("description", ("", "It's {x}"), ("x" * 201, "a {# b")),
        ("project_slug", ("shop", "a-1"), ("", "Shop", "../x", "a--b", "x" * 51, "a\n")),
    ],
)
def test_the_form_refuses_what_would_be_evaluated(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    pattern = FORM["properties"][name]["pattern"]
    assert [text for text in (*good, *bad) if re.search(pattern.replace("$", r"\Z"), text)] == list(good)
