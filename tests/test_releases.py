"""Releases: projects of earlier ones can be updated, the changelog is complete, and the locks stay fresh."""

import itertools
import json
import os
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from conftest import ROOT, TEMPLATE, Project, run, tool
from repository import commit, git, imitated_gh, said
from test_project import bash_blocks

Questions = dict[str, Any]

HEADING = re.compile(r"^## (Unreleased|(?P<version>\d+\.\d+\.\d+) - \d{4}-\d{2}-\d{2})$", re.MULTILINE)


def questions(text: str) -> Questions:
    """Read the questions of a release, and their answers."""
    return {name: value for name, value in json.loads(text).items() if not name.startswith("_")}


RELEASED = questions((ROOT / "tests/released.json").read_text(encoding="utf-8"))
NOW = questions((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))


def kind(question: object) -> str:
    """What an answer is: one of a few choices, yes or no, or text."""
    return "choice" if isinstance(question, list) else "switch" if isinstance(question, bool) else "text"


def broken(old: Questions, new: Questions) -> list[str]:
    """Name the questions whose recorded answers `cruft update` could not use again, or would pass over.

    A question that is gone or has another name silently gets its default; a choice that is gone ends the update, and so does
    a switch that became a choice. What was a choice or a switch may become text.
    """
    return [
        name
        for name, question in old.items()
        if name not in new
        or (kind(new[name]) not in (kind(question), "text"))
        or (kind(question) == kind(new[name]) == "choice" and not set(question) <= set(new[name]))
    ]


def sections(changelog: str) -> dict[str, str]:
    """Give what is said about each version, the newest first; what is not released has the version ``."""
    matches = list(HEADING.finditer(changelog))
    ends = [*(match.start() for match in matches[1:]), len(changelog)]
    return {match["version"] or "": changelog[match.end() : end] for match, end in zip(matches, ends, strict=True)}


def upgrade_note(section: str) -> str:
    """Return the instructions for a version."""
    return section.partition("### Upgrade\n")[2].partition("\n### ")[0]


CHANGELOG = sections((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


class TestAnswers:
    """Recorded answers stay valid, or the changelog describes what to do."""

    def test_the_answers_of_the_last_release_can_be_used_again_or_a_note_says_what_to_do(self) -> None:
        note = upgrade_note(next(iter(CHANGELOG.values())))
        assert [name for name in broken(RELEASED, NOW) if f"`{name}`" not in note] == []

    def test_no_choice_of_the_last_release_is_refused(self, pre: ModuleType) -> None:
        defaults = {name: value[0] if isinstance(value, list) else value for name, value in NOW.items()}
        defaults |= {"project_slug": "shop", "base_image": "python:3.13-slim"}
        for name, question in RELEASED.items():
            choices = {"choice": question, "switch": (True, False, "yes", "no"), "text": [defaults[name]]}[
                kind(question)
            ]
            for choice in choices:
                answers = defaults | {name: choice}
                answers["base_image"] = f"python:{answers['python_version']}-slim"
                assert pre.complaints(answers) == []

    @pytest.mark.parametrize(
        ("old", "new", "names"),
        [
            ({"a": ["x", "y"]}, {"a": ["y", "x", "z"], "b": True}, []),
            ({"a": ["x", "y"], "b": True}, {"a": "x", "b": "yes"}, []),
            ({"a": "x", "b": False}, {"a": "y", "b": True}, []),
            ({"a": ["x", "y"]}, {"a": ["x"]}, ["a"]),
            ({"a": True}, {"a": ["yes", "no"]}, ["a"]),
            ({"a": ["yes", "no"]}, {"a": True}, ["a"]),
            ({"a": "x"}, {"a": ["x"]}, ["a"]),
            ({"a": "x", "b": "y"}, {"c": "x", "b": "y"}, ["a"]),
        ],
    )
    def test_what_breaks_an_update_is_noticed(self, old: Questions, new: Questions, names: list[str]) -> None:
        assert broken(old, new) == names

    def test_what_is_compared_is_the_last_release(self) -> None:
        tags = run(("git", "tag", "--list", "v*", "--sort=-version:refname"), cwd=ROOT).stdout.split()
        if not tags:
            pytest.skip("no release has been tagged, or this is a shallow clone")
        assert questions(git(ROOT, "show", f"{tags[0]}:cookiecutter.json")) == RELEASED


class TestChangelog:
    """Versions, newest first, and what their users must do."""

    def test_versions_fall_and_the_newest_is_this_one(self) -> None:
        versions = [tuple(map(int, version.split("."))) for version in CHANGELOG if version]
        assert versions == sorted(versions, reverse=True)
        assert tuple(map(int, VERSION.split("."))) >= max(versions, default=(0, 0, 0))
        assert next(iter(CHANGELOG)) in ("", VERSION)
        review = tomllib.loads((ROOT / "review/pyproject.toml").read_text(encoding="utf-8"))
        assert review["project"]["version"] == VERSION

    def test_a_version_that_asks_for_an_act_says_so_in_its_number(self) -> None:
        released = [version for version in CHANGELOG if version]
        for newer, older in itertools.pairwise(released):
            if upgrade_note(CHANGELOG[newer]):
                major = 1 if older.startswith("0.") else 0
                assert newer.split(".")[: major + 1] != older.split(".")[: major + 1], newer

    def test_the_parts_of_a_changelog_are_told_apart(self) -> None:
        text = "# Changelog\n\n## Unreleased\n\n### Upgrade\n\n- `ci`: do it.\n\n### Added\n\n- x\n\n## 0.1.0 - 2026-11-24\n\ny\n"
        parts = sections(text)
        assert list(parts) == ["", "0.1.0"]
        assert "`ci`" in upgrade_note(parts[""])
        assert "x" not in upgrade_note(parts[""])
        assert upgrade_note(parts["0.1.0"]) == ""


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    """A clone of this repository, with the tools of this one, and a place that it pushes to."""
    git(tmp_path, "init", "--quiet", "--bare", "origin.git")
    git(tmp_path, "clone", "--quiet", "origin.git", "clone")
    clone = Project(tmp_path / "clone")
    tracked = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in tracked:
        if (ROOT / name).is_file():
            (clone.path / name).parent.mkdir(parents=True, exist_ok=True)
            (clone.path / name).write_bytes((ROOT / name).read_bytes())
    for name in ("name", "email"):
        git(clone.path, "config", f"user.{name}", "ada@example.com")
    commit(clone.path, "Begin")
    git(clone.path, "push", "--quiet", "origin", "HEAD:main")
    (clone.path / ".venv").symlink_to(tool("uv").parents[1])
    with (clone.path / ".git/info/exclude").open("a", encoding="utf-8") as file:
        file.write(".venv\n")
    return clone


LOCK = ("make", "--old-file", ".venv/.installed", "lock")


@pytest.mark.skipif(os.name == "nt", reason="there is no make")
class TestFresh:
    """The locks follow their packages, by hand and by themselves."""

    def test_a_lock_fails_and_stays_where_no_index_answers(self, clone: Project) -> None:
        nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
        done = clone.run(*LOCK, env={**nowhere, "UV_NO_CONFIG": "1", "UV_NO_CACHE": "1", "UV_FIND_LINKS": ""})
        assert done.returncode != 0
        assert "Failed to fetch: http://127.0.0.1:9/simple/" in done.stderr
        assert git(clone.path, "status", "--porcelain") == ""

    @pytest.mark.slow
    def test_locks_that_nothing_asks_to_change_stay(self, clone: Project) -> None:
        done = clone.run(*LOCK)
        assert done.returncode == 0, done.stderr
        assert git(clone.path, "status", "--porcelain") == ""

    def test_a_workflow_proposes_what_is_new_and_gives_no_token_to_it(self, clone: Project, tmp_path: Path) -> None:
        jobs = yaml.safe_load(clone.text(".github/workflows/fresh.yml"))["jobs"]
        lock, test, save = (step["run"] for step in jobs["lock"]["steps"] if "run" in step)
        (propose,) = (step["run"] for step in jobs["propose"]["steps"] if "run" in step)
        assert (lock, test) == ('make lock args="--upgrade --exclude-newer=P7D"', "make test")
        assert jobs["lock"]["permissions"] == {"contents": "read"}
        assert "token" not in yaml.safe_dump(jobs["lock"])
        env = {**imitated_gh(tmp_path), "GITHUB_RUN_ID": "7"}
        with (clone.path / ".git/info/exclude").open("a", encoding="utf-8") as file:
            file.write("fresh.patch\n")

        for command in (save, propose):
            assert clone.run("bash", "-ec", command, env=env).returncode == 0
        assert said(tmp_path) == ["run download 7 --name fresh"]

        for name in ("requirements-dev.txt", f"{TEMPLATE.name}/requirements.txt", "Makefile"):
            with (clone.path / name).open("a", encoding="utf-8") as file:
                file.write("# newer\n")
        assert clone.run("bash", "-ec", save).returncode == 0
        git(clone.path, "restore", ".")
        done = clone.run("bash", "-ec", propose, env=env)
        assert done.returncode == 0, done.stderr
        assert said(tmp_path) == [
            "run download 7 --name fresh",
            "auth setup-git",
            "pr list --head fresh --json number --jq length",
            "pr create --head fresh --fill",
            "workflow run ci.yml --ref fresh",
        ]
        changed = git(tmp_path / "origin.git", "diff", "--name-only", "main..fresh")
        assert changed.splitlines() == ["requirements-dev.txt", f"{TEMPLATE.name}/requirements.txt"]


@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
def test_the_commands_of_the_release_checklist_work_as_they_stand(clone: Project) -> None:
    edited = clone.text("cookiecutter.json").replace('"kubernetes": false', '"kubernetes": true')
    (clone.path / "cookiecutter.json").write_text(edited, encoding="utf-8")
    for block in bash_blocks(ROOT / "CONTRIBUTING.md"):
        done = clone.run("bash", "-ec", block)
        assert done.returncode == 0, done.stderr
    assert git(clone.path, "show", f"v{VERSION}:tests/released.json") == edited.strip()
    assert git(clone.path, "ls-remote", "--tags", "origin").endswith(f"refs/tags/v{VERSION}^{{}}")
