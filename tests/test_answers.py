"""Good and hostile answers, through the real command line and the real parsers."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from cookiecutter.environment import StrictEnvironment
from cookiecutter.exceptions import UndefinedVariableInTemplate
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Template, TemplateError

from conftest import ROOT, TEMPLATE, Answer, Bake, Generate, Project, command_line, copy_template, run, tool
from repository import commit, git
from setup import options

QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
TEXT_FILES = ("pyproject.toml", "api/__init__.py", "README.md")
SLUG_FILES = ("pyproject.toml", "Makefile", "compose.yaml", "deploy/base/service.yaml")
SAYING = ("description", "metadata", "introduction")
NASTY = [
    'it\'s "x" \\',
    "''' \"\"\" \\N{x} \\u0022 %s {x} }} %}",
    "日本 é 🍪 👩‍💻",
    "$HOME ${X} $(id) `id` && rm -rf /",
    "yes: [no, *x] # @y | > - ? !z",
    "<script>alert(1)</script> & <b>",
    "endraw {x} # options: end",
    "0.0.0.0 /tmp/x a\u200bb {TITLE} # noqa # type: ignore # fmt: off -*- coding: latin-1 -*-",
    "x" * 200,
]
REFUSED = ["{{", "{%", "{#", "{{ 7*7 }}", "{# x #}", "# option: auth", "<!-- end: auth -->", "\n", "\x1b", "\u202e"]

# Three of four are such as people might type, the fourth is anything.
TYPED = st.lists(
    st.sampled_from([*NASTY[:-1], *" \"'\\#{}%$`<>&-=:\u200b\u200d\xad\xa0\u3000"])
    | st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(parts).strip())
ANYTHING = st.lists(st.sampled_from([*NASTY, *REFUSED]) | st.text(), max_size=4).map("".join)
TEXTS = TYPED | TYPED | TYPED | ANYTHING
SLUGS = (
    st.text(max_size=10)
    | st.from_regex(r"[a-z][a-z0-9]{,9}(-[a-z0-9]{1,9}){,6}", fullmatch=True)
    | st.sampled_from(["no", "yes", "on", "null", "true", "e1", "con", "template0", "a\n"])
).filter(lambda slug: not re.search(r"\{[{%#]", slug))  # what cookiecutter makes of tags is judged
AS_MANY = [
    100,
    pytest.param(1_000, marks=pytest.mark.slow),
    pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.long]),
]


def said(files: dict[str, str]) -> dict[str, str]:
    """The name and the description, as each reader of the project sees it."""
    module = ast.parse(files["api/__init__.py"])
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return {
        "title": constants["TITLE"],
        "description": constants["DESCRIPTION"],
        "metadata": tomllib.loads(files["pyproject.toml"])["project"]["description"],
        "heading": files["README.md"].split("\n")[0].removeprefix("# "),
        "introduction": files["README.md"].split("\n")[2],
    }


def text_files(project: Project) -> dict[str, str]:
    """The files that free text is written into."""
    return {name: project.text(name) for name in TEXT_FILES}


@cache
def template(name: str) -> Template:
    """A file of the template, as cookiecutter reads it."""
    environment = StrictEnvironment(context={}, keep_trailing_newline=True)
    read: Template = environment.from_string((TEMPLATE / name).read_text(encoding="utf-8"))
    return read


def written(pre: ModuleType, answers: dict[str, str], names: Sequence[str] = TEXT_FILES) -> dict[str, str]:
    """Do what the command line does with answers, for a few files; nothing is written for refused ones."""
    try:
        context = generate_context(str(ROOT / "cookiecutter.json"), extra_context=answers)
        del context["cookiecutter"]["__prompts__"]  # half of the time, and no part of the answers
        typed = {name: context["cookiecutter"][name] for name in ("project_name", "description")}
        given = prompt_for_config(context, no_input=True)
    except (TemplateError, UndefinedVariableInTemplate):
        return {}
    refused = pre.complaints({**given, **typed})
    assert all(re.match(r"\w+ = .+\n  It .+\.\n  Try: .", str(complaint)) for complaint in refused)
    if refused:
        return {}
    enabled = options.enabled_options(given)
    return {
        name: options.prune_text(template(name).render(cookiecutter=given), enabled, Path(name).suffix)
        for name in names
    }


class TestAccepted:
    """Answers that a project is made from."""

    @pytest.mark.parametrize("text", NASTY)
    def test_any_text_comes_out_as_it_went_in(self, bake: Bake, text: str) -> None:
        files = text_files(bake(project_name=text, description=text, project_slug="shop"))
        assert set(said(files).values()) == {text}

    def test_the_command_line_carries_it_too(self, generate: Generate, tmp_path: Path) -> None:
        done = generate(
            "project_slug=shop", *(f"{name}={' '.join(NASTY[:4])}" for name in ("project_name", "description"))
        )
        assert done.returncode == 0, done.stderr
        assert set(said(text_files(Project(tmp_path / "shop"))).values()) == {" ".join(NASTY[:4])}

    def test_a_name_without_a_letter_needs_no_slug_of_its_own(self, generate: Generate, tmp_path: Path) -> None:
        assert generate("project_name=🚀").returncode == 0
        assert Project(tmp_path / "backend").has("api/main.py")

    def test_free_text_goes_into_few_files(self, bake: Bake) -> None:
        project = bake(project_name="Quetzalcoatl", description="Xylophone", project_slug="shop")
        names = [name for name in project.files() if re.search("Quetzalcoatl|Xylophone", project.text(name))]
        assert sorted(names) == sorted(TEXT_FILES)

    @pytest.mark.parametrize("examples", AS_MANY)
    def test_whatever_is_accepted_comes_out_as_it_went_in_and_passes_the_checks(
        self, pre: ModuleType, tmp_path: Path, examples: int
    ) -> None:
        passed = 0

        @settings(max_examples=examples)
        @given(name=TEXTS, description=TEXTS)
        def check(name: str, description: str) -> None:
            nonlocal passed
            files = written(pre, {"project_name": name, "description": description, "project_slug": "shop"})
            if files:
                passed += 1
                expected = {"title": name, "heading": name, **dict.fromkeys(SAYING, description)}
                assert said(files) == expected
                for file in ("api/__init__.py", "pyproject.toml"):
                    (tmp_path / str(passed) / file).parent.mkdir(parents=True, exist_ok=True)
                    (tmp_path / str(passed) / file).write_text(files[file], encoding="utf-8", newline="\n")

        check()
        assert passed >= examples / 4
        for command in (("format", "--check"), ("check",)):
            done = run((tool("ruff"), *command, "--no-cache", "--quiet"), cwd=tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize("examples", AS_MANY)
    def test_any_slug_comes_out_as_it_went_in(self, pre: ModuleType, examples: int) -> None:
        @settings(max_examples=examples)
        @given(slug=SLUGS)
        def check(slug: str) -> None:
            files = written(pre, {"project_slug": slug}, SLUG_FILES)
            assert bool(files) == (pre.rule_of_slug(slug) is None)
            if files:
                compose = yaml.load(files["compose.yaml"], yaml.CSafeLoader)
                metadata = yaml.load(files["deploy/base/service.yaml"], yaml.CSafeLoader)["metadata"]
                assert tomllib.loads(files["pyproject.toml"])["project"]["name"] == slug
                assert {compose["services"]["api"]["image"], metadata["name"]} == {slug}
                assert compose["services"]["db"]["environment"]["POSTGRES_DB"] == slug.replace("-", "_")
                assert f"\n\t    -t {slug} .\n" in files["Makefile"]

        check()

    def test_a_slug_is_made_of_any_name(self, generate: Generate, tmp_path: Path) -> None:
        assert generate("project_name=Café & Söhne 2").returncode == 0
        assert Project(tmp_path / "cafe-sohne-2").has("api/main.py")

    @pytest.mark.parametrize("value", ["yes", "true", "1", "ON", True])
    def test_yes_keeps_the_example(self, bake: Bake, value: Answer) -> None:
        assert bake(example=value).has("api/routers/budgets.py")

    @pytest.mark.parametrize("value", ["no", "False", "0", "OFF", False])
    def test_no_removes_it(self, bake: Bake, value: Answer) -> None:
        assert not bake(example=value).has("api/routers/budgets.py")


class TestRefused:
    """Answers that nothing is made from."""

    @pytest.mark.parametrize(
        ("answer", "shown"),
        [
            ("project_name=a\nb", r"'a\nb'"),
            ("project_name=\x1b[31mred", r"'\x1b[31mred'"),
            ("description=abc\u202edef", r"'abc\u202edef'"),
            ("description=x  # option: example", "'x  # option: example'"),
            ("description={{ 7*7 }}", "'{{ 7*7 }}'"),
            ("description={# gone #}x", "'{# gone #}x'"),
            ("description=x\n", r"'x\n'"),
            ("project_name=caf\udce9", r"'caf\udce9'"),
            ("project_slug=template0", "'template0'"),
            ("project_slug=Shop", "'Shop'"),
            ("project_slug=con", "'con'"),
            ("project_slug=é", r"'\xe9'"),
            ("project_slug=-rf", "'-rf'"),
            ("base_image=python:3.13 AS x", "'python:3.13 AS x'"),
            ("base_image=python:3.11-slim", "'python:3.11-slim'"),
            ("project_slug=../escape", "'../escape'"),
            (f"project_slug={'x' * 51}", f"'{'x' * 51}'"),
        ],
    )
    def test_a_refusal_tells_name_value_rule_and_way_out_and_leaves_nothing(
        self, generate: Generate, tmp_path: Path, home: Path, answer: str, shown: str
    ) -> None:
        (home / "tmp").mkdir()
        outside = set(tmp_path.parent.iterdir())
        done = generate(answer, env={"TMPDIR": str(home / "tmp")})
        assert done.returncode == 1
        assert f"{answer.partition('=')[0]} = {shown}\n  It " in done.stderr
        assert "\n  Try: " in done.stderr
        assert list(tmp_path.iterdir()) == [home]
        assert set(tmp_path.parent.iterdir()) == outside
        assert list((home / "tmp").iterdir()) == []

    @pytest.mark.parametrize("slug", [".", ""])
    def test_a_slug_that_means_the_current_folder_overwrites_nothing(
        self, generate: Generate, tmp_path: Path, slug: str
    ) -> None:
        (tmp_path / "README.md").write_text("mine", encoding="utf-8")
        done = generate("-f", f"project_slug={slug}")
        assert done.returncode == 1
        assert "project_slug = " in done.stderr
        assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"

    @pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder that a process works in")
    def test_a_slug_with_slashes_leaves_no_folder(self, generate: Generate, tmp_path: Path) -> None:
        before = set(tmp_path.iterdir())
        done = generate("project_slug=a/b/c")
        assert done.returncode == 1
        assert "project_slug = 'a/b/c'" in done.stderr
        assert set(tmp_path.iterdir()) == before

    def test_all_complaints_come_at_once(self, tmp_path: Path) -> None:
        wrong = dict.fromkeys((name for name in QUESTIONS if not name.startswith("_")), "{{ 7*7 }}\x00")
        replay = tmp_path / "replay.json"
        replay.write_text(json.dumps({"cookiecutter": QUESTIONS | wrong | {"project_slug": "Shop"}}), encoding="utf-8")
        command = (sys.executable, "-m", "cookiecutter", "-o", tmp_path, "--replay-file", replay, ROOT)
        done = run(command, cwd=tmp_path, env={"HOME": str(tmp_path)})
        assert done.returncode == 1
        assert [name for name in wrong if f"\n{name} = " not in done.stderr] == []
        assert not (tmp_path / "Shop").exists()

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            ("example=banana", "banana provided for variable example could not be converted to a boolean"),
            ("database=mysql", "mysql provided for choice variable database, but the choices are"),
        ],
    )
    def test_a_wrong_choice_is_refused(
        self, generate: Generate, tmp_path: Path, home: Path, answer: str, told: str
    ) -> None:
        done = generate(answer)
        assert done.returncode == 1
        assert told in done.stderr
        assert list(tmp_path.iterdir()) == [home]

    def test_a_misspelt_answer_shows_in_the_options(self, generate: Generate) -> None:
        done = generate("ci=none", "databse=sqlite")
        assert done.returncode == 0
        assert "\n  options  auth, ci=none, database=postgresql, example, python_version=3.13\n" in done.stdout

    @pytest.mark.skipif(os.name == "nt", reason="the command line is for a Unix shell")
    @pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
    def test_a_refusal_ends_with_a_command_line_to_paste(
        self, generate: Generate, archive: Path, tmp_path: Path, home: Path, *, used: bool
    ) -> None:
        output = tmp_path / "it's my späce & $HOME"
        folder = output / "bad-slug"
        if used:
            folder.mkdir(parents=True)
            git(folder, "init", "--quiet")
        name = """It's "x" \\ $HOME `id` $(id) 🍪 !x"""
        answers = (f"project_name={name}", "description=", "project_slug=bad-slug", "base_image=python", "auth=no")
        relative = os.path.relpath(archive, tmp_path)
        done = generate("-f", "-o", str(output), *answers, template=relative)
        assert done.returncode == 1
        *_, command = done.stderr.partition("\nWith all suggestions:\n\n")[2].split("\nERROR")[0].strip().splitlines()
        path = f"{tool('cookiecutter').parent}{os.pathsep}{os.environ['PATH']}"
        pasted = run(("bash", "-c", command), cwd=tmp_path, env={"HOME": str(home), "PATH": path})
        assert pasted.returncode == 0, pasted.stderr
        project = Project(folder)
        assert said(text_files(project)).items() >= {"title": name, "description": ""}.items()
        assert project.text("Dockerfile").startswith("FROM python:3.13-slim AS base\n")
        assert not project.has("api/services/auth.py")

    def test_template_tags_are_refused_when_typed(self, tmp_path: Path, home: Path) -> None:
        done = subprocess.run(
            (sys.executable, "-m", "cookiecutter", "-o", tmp_path, ROOT),
            input="{{ 7*7 }}\nshop\n" + "\n" * 20,
            env=os.environ | {"HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "project_name = '{{ 7*7 }}'" in done.stderr
        assert not (tmp_path / "shop").exists()


class TestOtherWays:
    """Answers from the user's configuration and from a replay, and folders with any name."""

    @staticmethod
    def configured(home: Path, **defaults: object) -> str:
        """Write a configuration and name its file."""
        config = home / "config.yaml"
        config.write_text(yaml.safe_dump({"default_context": defaults, "replay_dir": str(home)}), encoding="utf-8")
        return f"--config-file={config}"

    def test_defaults_of_the_user_are_answers(self, generate: Generate, tmp_path: Path, home: Path) -> None:
        config = self.configured(home, project_name=NASTY[0], project_slug="shop", auth="no", email="me@example.com")
        done = generate(config, f"description={NASTY[1]}")
        assert done.returncode == 0, done.stderr
        project = Project(tmp_path / "shop")
        texts = said(text_files(project))
        assert (texts["title"], texts["description"]) == (NASTY[0], NASTY[1])
        assert not project.has("api/services/auth.py")

    def test_defaults_of_the_user_are_judged_too(self, generate: Generate, tmp_path: Path, home: Path) -> None:
        done = generate(self.configured(home, description=None, project_slug=12, auth=5))
        assert done.returncode == 1
        for name, value in {"description": None, "project_slug": "12", "auth": "5"}.items():
            assert f"{name} = {value!r}\n  It must be " in done.stderr
        assert list(tmp_path.iterdir()) == [home]

    def test_a_wrong_default_of_the_user_is_told(self, generate: Generate, home: Path) -> None:
        done = generate(self.configured(home, database="mysql"))
        assert "mysql provided for choice variable database, but the choices are" in done.stderr

    def test_a_replay_makes_the_same_project(
        self, generate: Generate, archive: Path, tmp_path: Path, home: Path
    ) -> None:
        answers = ("project_slug=shop", f"project_name={NASTY[0]}", f"description={NASTY[1]}", "example=no")
        assert generate(*answers).returncode == 0
        (replay,) = home.rglob("*.json")
        for way in (("--replay",), ("--replay-file", replay)):
            output = tmp_path / way[0].strip("-")
            command = (sys.executable, "-m", "cookiecutter", "-o", output, *way, archive)
            done = run(command, cwd=tmp_path, env={"HOME": str(home)})
            assert done.returncode == 0, done.stderr
            assert same(Project(output / "shop"), Project(tmp_path / "shop"))

    def test_an_edited_replay_is_judged(self, generate: Generate, tmp_path: Path, home: Path) -> None:
        assert generate().returncode == 0
        (replay,) = home.rglob("*.json")
        answers = json.loads(replay.read_text(encoding="utf-8"))["cookiecutter"]
        replay.write_text(json.dumps({"cookiecutter": answers | {"database": "mysql"}}), encoding="utf-8")
        command = (sys.executable, "-m", "cookiecutter", "-o", tmp_path / "again", "--replay-file", replay, ROOT)
        done = run(command, cwd=tmp_path, env={"HOME": str(home)})
        assert done.returncode == 1
        assert "database = 'mysql'" in done.stderr
        assert list((tmp_path / "again").iterdir()) == []

    def test_folders_may_have_any_name(self, generate: Generate, tmp_path: Path) -> None:
        folder = tmp_path / "it's my späce & $HOME"
        template = copy_template(folder / "template")
        done = generate("-o", str(folder / "output"), template=template)
        assert done.returncode == 0, done.stderr
        assert Project(folder / "output" / "budget-api").has(".env")


def same(one: Project, other: Project) -> bool:
    """Whether two projects differ in their secrets, and in what is recorded of their template, alone."""
    files = [
        {name: project.text(name) for name in project.files() if name not in (".env", ".cruft.json")}
        for project in (one, other)
    ]
    return files[0] == files[1]


class TestFolderInUse:
    """A folder that exists: it is written into if git can restore every file that is in the way."""

    OWN = ("notes.md", "deploy/mine.yaml", "api/services/mine.py", "data/mine", ".github/CODEOWNERS")
    SHARED = ("README.md", "api/main.py", "pyproject.toml", "requirements.txt")
    IGNORED = (".env", "venv/bin/mine", "app.db", "api/__pycache__/mine.pyc", ".mypy_cache/mine")
    MINE = "mine\n"

    @pytest.fixture
    def project(self, tmp_path: Path) -> Project:
        """Make a clean repository with files of its own, some with names of the template's, and ignored ones."""
        project = Project(tmp_path / "budget-api")
        for name in (*self.OWN, *self.SHARED, *self.IGNORED):
            (project.path / name).parent.mkdir(parents=True, exist_ok=True)
            (project.path / name).write_text(self.MINE, encoding="utf-8")
        shutil.copy(TEMPLATE / ".gitignore", project.path)
        git(project.path, "init", "--quiet")
        commit(project.path, "mine")
        return project

    @staticmethod
    def contents(folder: Path) -> dict[str, bytes | str]:
        """Read everything but the repository's own files, without following links."""
        return {
            path.relative_to(folder).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_bytes()
            for path in folder.rglob("*")
            if ".git" not in path.parts and (path.is_symlink() or path.is_file())
        }

    def test_without_an_option_it_is_left_alone(self, generate: Generate, project: Project) -> None:
        before = self.contents(project.path)
        done = generate()
        assert done.returncode == 1
        assert "already exists" in done.stdout
        assert self.contents(project.path) == before

    @pytest.mark.parametrize("kept_in_git", [False, True])
    def test_an_empty_one_is_written_into(
        self, generate: Generate, bake: Bake, tmp_path: Path, *, kept_in_git: bool
    ) -> None:
        project = Project(tmp_path / "budget-api")
        project.path.mkdir()
        if kept_in_git:
            git(project.path, "init", "--quiet")
        done = generate("-f")
        assert done.returncode == 0, done.stderr
        assert ("\n  git init --initial-branch main\n" in done.stdout) is not kept_in_git
        shutil.rmtree(project.path / ".git", ignore_errors=True)
        assert same(project, bake())

    def test_a_clean_repository_is_written_into_and_git_shows_what_changed(
        self, generate: Generate, bake: Bake, project: Project
    ) -> None:
        done = generate("-f", "auth=no")
        assert done.returncode == 0, done.stderr
        kept = dict.fromkeys((*self.OWN, *self.IGNORED[:3]), self.MINE)
        assert {name: project.text(name) for name in kept} == kept
        assert " .env     ok (kept as it was)\n" in done.stdout
        fresh = bake(auth=False)
        files = [name for name in fresh.files() if name != ".env"]
        assert {name: project.text(name) for name in files} == {name: fresh.text(name) for name in files}
        assert set(git(project.path, "diff", "--name-only").split()) == set(self.SHARED)
        assert set(git(project.path, "ls-files", "--others", "--exclude-standard").split()) == {*files} - {
            *self.SHARED,
            ".gitignore",
        }

    @pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ("rm -rf .git", "git does not keep what is in it"),
            ("rm -rf .git && git -C .. init && echo budget-api > ../.gitignore", "git could not restore ./"),
            ("touch new", "git could not restore new"),
            ("git config status.showUntrackedFiles no; touch new", "git could not restore new"),
            ("echo x >> notes.md", "git could not restore notes.md"),
            ("echo x >> notes.md; git add notes.md", "git could not restore notes.md"),
            ("echo x >> notes.md; git -c user.name=x -c user.email=x stash; git stash apply", "restore notes.md"),
            ("echo compose.yaml > .git/info/exclude; touch compose.yaml", "git could not restore compose.yaml"),
            ("echo deploy > .git/info/exclude; touch deploy/x", "git could not restore deploy/x"),
            ("echo .cruft.json > .git/info/exclude; touch .cruft.json", "git could not restore .cruft.json"),
            ("git update-index --skip-worktree README.md; echo x >> README.md", "git could not restore README.md"),
            ("git update-index --assume-unchanged README.md; echo x >> README.md", "could not restore README.md"),
            ("mv api ../elsewhere; ln -s ../elsewhere api; $commit", "git could not restore api"),
            ("mv README.md ../other.md; ln -s ../other.md README.md; $commit", "git could not restore README.md"),
        ],
    )
    def test_what_git_could_not_restore_is_refused(
        self, generate: Generate, archive: Path, project: Project, change: str, why: str
    ) -> None:
        tmp_path = project.path.parent
        keep = "git add --all; git -c user.name=x -c user.email=x commit --message x"
        done = project.run("bash", "-ec", change.replace("$commit", keep))
        assert done.returncode == 0, done.stderr
        before = self.contents(tmp_path)
        relative = os.path.relpath(archive, tmp_path)
        done = generate("-f", template=relative, env={"PWD": str(tmp_path / "elsewhere")})
        assert done.returncode == 1
        assert f"{project.path}\n  The folder is not empty, and " in done.stderr
        assert f"{why}.\n  Try: commit what is in it, or choose another folder\n" in done.stderr
        after = self.contents(tmp_path)
        assert {name: after[name] for name in before} == before
        assert {name for name in after if not name.startswith("home/")} == {*before}

    @pytest.mark.skipif(os.name == "nt", reason="Windows looks for programs elsewhere too")
    @pytest.mark.parametrize("variables", ["GIT_DIR", "GIT_INDEX_FILE", "PATH"])
    def test_it_is_refused_where_the_environment_misleads_git(
        self, generate: Generate, project: Project, variables: str
    ) -> None:
        clean = project.path.with_name("clean")
        git(project.path.parent, "clone", "--quiet", str(project.path), str(clean))
        env = {
            "GIT_DIR": {"GIT_DIR": str(clean / ".git"), "GIT_WORK_TREE": str(clean)},
            "GIT_INDEX_FILE": {"GIT_INDEX_FILE": str(clean / ".git/index")},
            "PATH": {"PATH": "/nowhere"},
        }[variables]
        (project.path / "README.md").write_text("changed", encoding="utf-8")
        before = self.contents(project.path)
        done = generate("-f", env=env)
        assert done.returncode == 1
        assert "The folder is not empty, and git " in done.stderr
        assert self.contents(project.path) == before

    def test_a_refused_answer_leaves_it_as_it_was(self, generate: Generate, project: Project) -> None:
        before = self.contents(project.path)
        assert generate("-f", "project_name=\n", "project_slug=budget-api").returncode == 1
        assert self.contents(project.path) == before


class TestTwoAtOnce:
    """Two runs at the same time."""

    @staticmethod
    def both(template: Path, tmp_path: Path, home: Path, *answers: str) -> list[int]:
        """Start a run for each answer, and return their exit statuses."""
        commands = [[str(part) for part in command_line(tmp_path, answer, template=template)] for answer in answers]
        environment = os.environ | {"HOME": str(home)}
        runs = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for command in commands]
        return [process.wait(timeout=60) for process in runs]

    def test_different_projects_do_not_meet(self, bake: Bake, archive: Path, tmp_path: Path, home: Path) -> None:
        assert self.both(archive, tmp_path, home, "project_slug=one", "project_slug=two") == [0, 0]
        for slug in ("one", "two"):
            assert same(Project(tmp_path / slug), bake(project_slug=slug))

    def test_the_same_project_is_made_by_one_of_them(
        self, bake: Bake, archive: Path, tmp_path: Path, home: Path
    ) -> None:
        assert 0 in self.both(archive, tmp_path, home, "auth=no", "auth=no")
        assert same(Project(tmp_path / "budget-api"), bake(auth=False))


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The oldest front end that is supported."""
    folder = tmp_path_factory.mktemp("oldest")
    uv = (sys.executable, "-m", "uv")
    for command in (
        (*uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"),
        (*uv, "pip", "install", "--quiet", "--python", folder / "venv", "cookiecutter==2.6.0"),
    ):
        done = run(command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "cookiecutter"


@pytest.mark.slow
class TestOldestCookiecutter:
    """It passes booleans on as they were typed."""

    @pytest.mark.parametrize(("value", "kept"), [("yes", True), ("ON", True), ("no", False), ("0", False)])
    def test_words_for_yes_and_no_are_read(
        self, oldest: Path, tmp_path: Path, home: Path, value: str, *, kept: bool
    ) -> None:
        assert self.generate(oldest, tmp_path, home, value).returncode == 0
        project = Project(tmp_path / "budget-api")
        assert project.has("api/routers/budgets.py") is kept
        assert project.has(".env")
        assert not project.has("UNFINISHED")

    def test_other_words_are_refused(self, oldest: Path, tmp_path: Path, home: Path) -> None:
        done = self.generate(oldest, tmp_path, home, "banana")
        assert done.returncode == 1
        assert "example = 'banana'\n  It must be one of yes, y, true, t, on, 1, or one of no," in done.stderr
        assert list(tmp_path.iterdir()) == [home]

    @staticmethod
    def generate(oldest: Path, output: Path, home: Path, value: str) -> subprocess.CompletedProcess[str]:
        command = (oldest, "--no-input", "-o", output, ROOT, f"example={value}")
        return run(command, cwd=output, env={"HOME": str(home)})
