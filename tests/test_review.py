"""The report over many repositories: it names every planted fault and nothing else, whatever a repository holds."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import EVERYTHING, NOTHING, PAIRWISE, ROOT, Answer, Bake, copy_template, path_with_uv, run, tool
from cookiecutter_backend_review.plugin import RULES
from cookiecutter_backend_review.rendering import PROJECT_OWNED
from planted import BROKEN, DRIFTED, EDITED, FOREIGN, FOREIGN_FAULTS, NEW, REMOVED, Faults
from repository import commit, git
from test_project import block_with

Review = Callable[..., dict[str, Any]]

REVIEW = f"cookiecutter-backend-review[template] @ {(ROOT / 'review').as_uri()}"
REPO_REVIEW: tuple[str | Path, ...] = (tool("uv"), "tool", "run", "--from", REVIEW, "repo-review")
ADDRESS = "https://github.com/OWNER/cookiecutter-backend.git"
LAYOUT = (ROOT / "docs/layout.md").read_text(encoding="utf-8")
DIGEST = f"@sha256:{'0' * 64}"


def surroundings(folder: Path) -> dict[str, str]:
    """Return variables with uv on the PATH and its cache, and an empty cache of the report."""
    uv_cache = run((tool("uv"), "cache", "dir"), cwd=folder).stdout.strip()
    return {"UV_CACHE_DIR": uv_cache, "XDG_CACHE_HOME": str(folder / "cache"), "PATH": path_with_uv()}


@pytest.fixture
def review(tmp_path: Path) -> Review:
    """Report on repositories as uv installs it; return the checks of each."""

    def review(*folders: Path, **env: str) -> dict[str, Any]:
        done = run((*REPO_REVIEW, "--format", "json", *folders), cwd=tmp_path, env={**surroundings(tmp_path), **env})
        assert done.returncode in (0, 3), done.stderr
        report = json.loads(done.stdout)
        return report["checks"] if len(folders) == 1 else {name: each["checks"] for name, each in report.items()}

    return review


def faults(checks: Mapping[str, Mapping[str, Any]]) -> Faults:
    """Return the faults of each check that failed."""
    failed = {name: check["err_msg"] for name, check in checks.items() if check["result"] is False}
    return {name: re.findall(r"^- (.*)", message, re.MULTILINE) for name, message in failed.items()}


def matched(found: Faults, expected: Faults) -> Faults:
    """Replace each fault by what is expected of it, where that is a part of it."""
    pairs = {name: zip(found[name], parts, strict=False) for name, parts in expected.items() if name in found}
    parts = {name: [part if part in line else line for line, part in each] for name, each in pairs.items()}
    return {name: [*parts.get(name, []), *lines[len(parts.get(name, [])) :]] for name, lines in found.items()}


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def settled(folder: Path, made: Path, revision: str, **answers: Answer) -> Path:
    """Copy a project as it is once it was recorded for updates, and its base image pinned."""
    shutil.copytree(made, folder)
    context = {"cookiecutter": {"project_slug": "budget-api", **answers}}
    record = {"template": ADDRESS, "commit": revision, "context": context}
    dockerfile = (folder / "Dockerfile").read_text(encoding="utf-8")
    pinned = dockerfile.replace("-slim AS base", f"-slim{DIGEST} AS base")
    write(folder, {".cruft.json": json.dumps(record), "Dockerfile": pinned})
    return folder


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A repository of the template with two releases, which render the same."""
    folder = tmp_path / "template"
    folder.mkdir()
    shutil.copytree(ROOT / "review", copy_template(folder) / "review")
    git(folder, "init", "--quiet")
    for tag in ("v1.0.0", "v1.1.0", "v2.0.0rc1"):
        commit(folder, tag)
        git(folder, "tag", tag)
    return folder


def test_a_report_over_five_repositories_names_every_planted_fault_and_nothing_else(
    bake: Bake, template: Path, review: Review, tmp_path: Path
) -> None:
    old, new = (git(template, "rev-parse", tag) for tag in ("v1.0.0", "v1.1.0"))
    repos = tmp_path / "repos"
    settled(repos / "everything", bake(**EVERYTHING).path, new, **EVERYTHING)
    settled(repos / "nothing", bake(**NOTHING).path, new, **NOTHING)
    drifted = settled(repos / "drifted", bake(**EVERYTHING).path, old, **EVERYTHING)
    write(drifted, NEW)
    for name, (before, after) in EDITED.items():
        text = (drifted / name).read_text(encoding="utf-8")
        assert before in text
        text = re.sub(r"checkout@\w{40}", "checkout@v7", text.replace(DIGEST, "")).replace(before, after, 1)
        write(drifted, {name: text})
    for name in REMOVED:
        (drifted / name).unlink()
    write(repos / "foreign", FOREIGN)
    write(settled(repos / "broken", bake(**NOTHING).path, new, **NOTHING), BROKEN)

    report = review(*sorted(repos.iterdir()), BACKEND_TEMPLATE=str(template))
    expected: dict[str, Faults] = {
        "everything": {},
        "nothing": {},
        "drifted": DRIFTED,
        "foreign": FOREIGN_FAULTS,
        "broken": {"LAY1": [f"`{name}`: `" for name in sorted(BROKEN)]},
    }
    assert {name: matched(faults(report[name]), each) for name, each in expected.items()} == expected
    assert [name for name, check in report["everything"].items() if check["result"] is None] == []


def test_a_new_project_lacks_what_make_pin_and_cruft_link_add_and_nothing_else(
    bake: Bake, review: Review, tmp_path: Path
) -> None:
    for number, each in enumerate(PAIRWISE):
        (tmp_path / str(number)).symlink_to(bake(**each).path)
    report = review(*(tmp_path / str(number) for number in range(len(PAIRWISE))))
    assert {(*faults(checks),) for checks in report.values()} == {("IMG3", "TPL1")}
    assert "`make pin` writes" in report["0"]["IMG3"]["err_msg"]
    assert "`cruft link ADDRESS` records" in report["0"]["TPL1"]["err_msg"]


def test_the_command_of_the_page_for_teams_reports_by_the_address_of_a_template(
    bake: Bake, template: Path, tmp_path: Path
) -> None:
    repos = tmp_path / "repos"
    settled(repos / "first", bake(**NOTHING).path, git(template, "rev-parse", "v1.1.0"), **NOTHING)
    settled(repos / "second", bake(**NOTHING).path, "0" * 40, **NOTHING)
    command = block_with("repo-review").replace(ADDRESS, template.as_uri())
    done = run(("bash", "-ec", command), cwd=tmp_path, env=surroundings(tmp_path))
    first, second = done.stdout.split("second", maxsplit=1)
    assert done.returncode == 3, done.stderr
    assert ("\N{CROSS MARK}" in first, "is not in the template" in second) == (False, True)

    options = re.findall(r"`(--(?:show|select) [^`]+)`", (ROOT / "docs/teams.md").read_text(encoding="utf-8"))
    assert options == ["--show err", "--select IMP,END"]
    command = f"{command.rstrip()} {' '.join(options)},TPL2"
    env = {**surroundings(tmp_path), "BACKEND_RELEASE": "v2.0.0rc1"}
    chosen = run(("bash", "-ec", command), cwd=tmp_path, env=env).stdout
    assert "is 1 commit behind v2.0.0rc1" in chosen
    assert [name for name in RULES if name in chosen] == ["TPL2"]


def test_the_workflow_and_the_hook_of_the_page_for_teams_pass_in_a_project(
    bake: Bake, template: Path, tmp_path: Path
) -> None:
    project = settled(tmp_path / "it", bake(**NOTHING).path, git(template, "rev-parse", "v1.0.0"), **NOTHING)
    page = (ROOT / "docs/teams.md").read_text(encoding="utf-8").replace(ADDRESS.removesuffix(".git"), template.as_uri())
    blocks = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "repo-review" in block
    ]
    (step,), (hook,) = blocks[0], blocks[1]["repos"][0]["hooks"]
    (requirement,) = hook["additional_dependencies"]
    env = {**surroundings(tmp_path), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.html")}
    for command in (step["run"], f"uvx --from '{requirement}' {hook['entry']}"):
        done = run(("bash", "-ec", command), cwd=project, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "<h3>Layout</h3>" in (tmp_path / "summary.html").read_text(encoding="utf-8")


def test_text_of_a_repository_is_neither_markup_nor_evaluated(bake: Bake, template: Path, tmp_path: Path) -> None:
    revision = git(template, "rev-parse", "HEAD")
    project = settled(tmp_path / "it", bake(**NOTHING).path, revision, description="{{ 7 * 6 }}", **NOTHING)
    write(project, {"Dockerfile": "FROM <script>`alert(1)</script>\n"})
    command = (*REPO_REVIEW, "--format", "html", project)
    page = run(command, cwd=tmp_path, env={**surroundings(tmp_path), "BACKEND_TEMPLATE": str(template)}).stdout
    assert "&lt;script&gt;'alert(1)&lt;/script&gt;</code> has no digest" in page
    assert "<script>" not in page
    assert "as it renders them (the recorded answers are not those of a project)" in page


def test_an_exception_is_reported_with_its_reason(bake: Bake, review: Review, tmp_path: Path) -> None:
    project = shutil.copytree(bake(**NOTHING).path, tmp_path / "it")
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('\n[tool.repo-review.ignore]\nIMG3 = "The platform pins it."\n')
    checks = review(project)
    assert (checks["IMG3"]["result"], checks["IMG3"]["skip_reason"]) == (None, "The platform pins it.")


def test_the_layout_page_has_an_anchor_for_each_rule_and_names_what_a_project_owns() -> None:
    rules = [(rule.anchor, name) for name, rule in RULES.items()]
    assert re.findall(r'^- <a id="([\w-]+)"></a>\*\*(\w+)\*\* ', LAYOUT, re.MULTILINE) == rules
    assert [pattern for pattern in PROJECT_OWNED if f"`{pattern}`" not in LAYOUT] == []
