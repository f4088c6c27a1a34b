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
from click import Option
from cookiecutter.cli import main as cli
from cookiecutter.environment import StrictEnvironment
from cookiecutter.exceptions import UndefinedVariableInTemplate
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Template, TemplateError

from conftest import ROOT, TEMPLATE, Answer, Bake, Generate, Project, command_line, copy_template, run, tool
from repository import git

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
    | st.sampled_from(["no", "yes", "on", "null", "true", "e1", "con", "template0", "a\n", "{{ 7*7 }}", "{# x #}a"])
)
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


def written(
    pre: ModuleType, post: ModuleType, answers: dict[str, str], names: Sequence[str] = TEXT_FILES
) -> dict[str, str]:
    """Do what the command line does with answers, for a few files; nothing is written for refused ones."""
    try:
        context = generate_context(str(ROOT / "cookiecutter.json"), extra_context=answers)
        del context["cookiecutter"]["__prompts__"]  # half of the time, and no part of the answers
        unrendered = dict(context["cookiecutter"])
        given = prompt_for_config(context, no_input=True)
    except (TemplateError, UndefinedVariableInTemplate):
        return {}
    refused = pre.complaints(pre.as_typed(given, unrendered))
    assert all(re.match(r"\w+ = .+\n  It .+\.\n  Try: .", complaint) for complaint in refused)
    if refused:
        return {}
    return {
        name: post.prune_text(
            template(name).render(cookiecutter=given),
            given,
            post.MARKDOWN_MARKER if name.endswith(".md") else post.HASH_MARKER,
        )
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
        self, pre: ModuleType, post: ModuleType, tmp_path: Path, examples: int
    ) -> None:
        passed = 0

        @settings(max_examples=examples)
        @given(name=TEXTS, description=TEXTS)
        def check(name: str, description: str) -> None:
            nonlocal passed
            files = written(pre, post, {"project_name": name, "description": description, "project_slug": "shop"})
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
    def test_any_slug_comes_out_as_it_went_in(self, pre: ModuleType, post: ModuleType, examples: int) -> None:
        @settings(max_examples=examples)
        @given(slug=SLUGS)
        def check(slug: str) -> None:
            files = written(pre, post, {"project_slug": slug}, SLUG_FILES)
            assert bool(files) == (pre.complaint_about_slug(slug) is None)
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
            ("project_slug={# gone #}a", "'{# gone #}a'"),
            ("project_slug=template0", "'template0'"),
            ("project_slug=Shop", "'Shop'"),
            ("project_slug=con", "'con'"),
            ("project_slug=é", r"'\xe9'"),
            ("project_slug=-rf", "'-rf'"),
            ("base_image=python:3.13 AS x", "'python:3.13 AS x'"),
            ("base_image=python:3.13-slim{# gone #}", "'python:3.13-slim{# gone #}'"),
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

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a hook what was typed")
    @pytest.mark.parametrize("misspelt", ["projectname=Shop", "databse=sqlite", "Auth=no", "=x"])
    def test_a_misspelt_answer_is_refused(self, generate: Generate, tmp_path: Path, home: Path, misspelt: str) -> None:
        done = generate("ci=none", misspelt, "--directory", "")
        assert done.returncode == 1
        name = misspelt.partition("=")[0]
        assert f"\n{name!r}\n  It answers no question.\n  Try: one of project_name, description, " in done.stderr
        assert list(tmp_path.iterdir()) == [home]

    def test_the_command_line_is_read_as_cookiecutter_does_it(self, pre: ModuleType) -> None:
        options = [option for option in cli.params if isinstance(option, Option) and not option.is_flag]
        assert sorted(pre.VALUED) == sorted(name for option in options for name in option.opts)
        command = ["python", "-m", "cookiecutter", "-f", "-o", "a=b", "--config-file=c=d", "e=f", "g=h", "-s", "i=j=k"]
        assert pre.typed_answers(command) == ["g", "i"]
        assert pre.typed_answers(["pytest", "a=b"]) == []

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
        for name, value in {"description": None, "project_slug": 12, "auth": "5"}.items():
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

    @pytest.mark.parametrize(
        ("edited", "refused"),
        [
            (
                {"project_name": "Shop"},
                "__project_name = 'Budget API'\n  It must be what the answers make of it.\n  Try: Shop",
            ),
            ({"__description": '"\nimport os'}, "__description = '\"\\nimport os'"),
            ({"database": "mysql"}, "database = 'mysql'"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
    )
    def test_an_edited_replay_is_judged(
        self, generate: Generate, tmp_path: Path, home: Path, edited: dict[str, str], refused: str
    ) -> None:
        assert generate().returncode == 0
        (replay,) = home.rglob("*.json")
        answers = json.loads(replay.read_text(encoding="utf-8"))["cookiecutter"]
        replay.write_text(json.dumps({"cookiecutter": answers | edited}), encoding="utf-8")
        command = (sys.executable, "-m", "cookiecutter", "-o", tmp_path / "again", "--replay-file", replay, ROOT)
        done = run(command, cwd=tmp_path, env={"HOME": str(home)})
        assert done.returncode == 1
        assert refused in done.stderr
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
    """A folder that holds files of the user's already."""

    OTHERS = (
        *(".env", "venv/mine", "deploy/mine.yaml", "api/services/mine.py", "notes.md", "data/__pycache__/mine"),
        *(".gitlab-ci.yml", "api/services/auth.py"),  # where declined options would write
    )
    SHARED = ("README.md", "api/main.py", "pyproject.toml", "requirements.txt")
    MINE = "mine  # option: auth\n<!-- option: nowhere -->\n"

    @pytest.fixture
    def project(self, tmp_path: Path) -> Project:
        """Files of the user's, some with names of the template's, in a repository of Git."""
        project = Project(tmp_path / "budget-api")
        for name in (*self.OTHERS, *self.SHARED):
            (project.path / name).parent.mkdir(parents=True, exist_ok=True)
            (project.path / name).write_text(self.MINE, encoding="utf-8")
        for command in (("init", "--quiet"), ("add", "--force", "."), ("commit", "--quiet", "-m", "mine")):
            git(project.path, *command)
        return project

    def test_it_is_left_alone(self, generate: Generate, project: Project) -> None:
        before = project.files()
        done = generate()
        assert done.returncode == 1
        assert "already exists" in done.stdout
        assert project.files() == before

    @pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
    @pytest.mark.parametrize("from_here", [False, True])
    def test_a_link_in_the_way_of_the_template_is_told_and_not_written_through(
        self, generate: Generate, archive: Path, tmp_path: Path, project: Project, *, from_here: bool
    ) -> None:
        shutil.move(project.path / "api", tmp_path / "elsewhere")
        (project.path / "api").symlink_to(tmp_path / "elsewhere")
        (project.path / "data/link").symlink_to(tmp_path / "elsewhere")
        template = os.path.relpath(archive, tmp_path) if from_here else archive
        done = generate("-f", template=template, env={"PWD": str(tmp_path)})
        assert done.returncode == 1
        assert "\napi\n  It is in the way as a link" in done.stderr
        assert (tmp_path / "elsewhere/main.py").read_text(encoding="utf-8") == self.MINE

    def test_overwriting_touches_no_file_but_the_templates(
        self, generate: Generate, bake: Bake, project: Project
    ) -> None:
        done = generate("-f", "auth=no")
        assert done.returncode == 0, done.stderr
        assert {name: project.text(name) for name in self.OTHERS} == dict.fromkeys(self.OTHERS, self.MINE)
        assert "options" not in done.stdout
        fresh = bake(auth=False)
        files = [name for name in fresh.files() if name != ".env"]
        assert {name: project.text(name) for name in files} == {name: fresh.text(name) for name in files}
        changed = project.run("git", "status", "--porcelain", "--untracked-files=no").stdout
        assert set(re.findall(r"\S+$", changed, flags=re.MULTILINE)) == set(self.SHARED)
        assert not project.has("api/models/users.py")
        assert not project.has("UNFINISHED")

    def test_overwriting_leaves_what_is_mine_where_a_declined_option_would_be(
        self, generate: Generate, tmp_path: Path
    ) -> None:
        project = Project(tmp_path / "budget-api")
        mine = ("api/models/users.py", "api/routers/budgets.py", "deploy/base/service.yaml", ".gitlab-ci.yml")
        for number in range(2):
            done = generate("-f", "auth=no", "example=no", "ci=github")
            assert done.returncode == 0, done.stderr
            assert {name for name in (*mine, "UNFINISHED") if project.has(name)} == {*(mine if number else ())}
            for name in mine:
                (project.path / name).parent.mkdir(parents=True, exist_ok=True)
                (project.path / name).write_text(self.MINE, encoding="utf-8")
        assert {name: project.text(name) for name in mine} == dict.fromkeys(mine, self.MINE)

    def test_overwriting_leaves_a_folder_of_the_name_that_it_uses_itself(
        self, generate: Generate, project: Project
    ) -> None:
        notes = project.path / "UNFINISHED" / "notes.md"
        notes.parent.mkdir()
        notes.write_text("mine", encoding="utf-8")
        assert generate("-f").returncode == 0
        assert [path.name for path in notes.parent.iterdir()] == ["notes.md"]

    def test_skipping_touches_no_file_at_all(self, generate: Generate, project: Project) -> None:
        done = generate("-f", "-s", "auth=no")
        assert done.returncode == 0, done.stderr
        assert "options" not in done.stdout
        assert project.run("git", "status", "--porcelain", "--untracked-files=no").stdout == ""
        assert project.run("git", "fsck", "--strict").returncode == 0
        assert project.has("api/routers/budgets.py")
        assert not project.has("api/routers/auth.py")
        assert "# option:" not in project.text("compose.yaml")
        assert not project.has("UNFINISHED")

    def test_a_refusal_leaves_it_as_it_was(self, generate: Generate, project: Project) -> None:
        before = project.files()
        assert generate("-f", "project_name=\n", "project_slug=budget-api").returncode == 1
        assert project.files() == before
        assert project.run("git", "status", "--porcelain").stdout == ""

    def test_files_that_were_kept_aside_are_not_lost_to_another_run(self, generate: Generate, project: Project) -> None:
        kept = project.path / "UNFINISHED" / "yours" / "README.md"
        kept.parent.mkdir(parents=True)
        kept.write_text("mine", encoding="utf-8")
        done = generate("-f")
        assert done.returncode == 1
        assert "UNFINISHED/yours holds files of yours" in done.stderr
        assert kept.read_text(encoding="utf-8") == "mine"
        assert project.text("README.md") == self.MINE


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

    @pytest.mark.parametrize("value", ["yes", "true", "1", "ON"])
    def test_yes_keeps_the_example(self, oldest: Path, tmp_path: Path, home: Path, value: str) -> None:
        assert self.generate(oldest, tmp_path, home, value).returncode == 0
        assert Project(tmp_path / "budget-api").has("api/routers/budgets.py")

    @pytest.mark.parametrize("value", ["no", "False", "0", "OFF"])
    def test_no_removes_it(self, oldest: Path, tmp_path: Path, home: Path, value: str) -> None:
        assert self.generate(oldest, tmp_path, home, value).returncode == 0
        assert not Project(tmp_path / "budget-api").has("api/routers/budgets.py")

    def test_other_words_are_refused(self, oldest: Path, tmp_path: Path, home: Path) -> None:
        done = self.generate(oldest, tmp_path, home, "banana")
        assert done.returncode == 1
        assert "example = 'banana'\n  It must be one of 1, true, t, yes, y, on" in done.stderr
        assert list(tmp_path.iterdir()) == [home]

    @staticmethod
    def generate(oldest: Path, output: Path, home: Path, value: str) -> subprocess.CompletedProcess[str]:
        command = (oldest, "--no-input", "-o", output, ROOT, f"example={value}")
        return run(command, cwd=output, env={"HOME": str(home)})
