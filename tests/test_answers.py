"""Good and hostile answers, through the real command line and the real parsers."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from cookiecutter.exceptions import UndefinedVariableInTemplate
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError

from conftest import (
    ROOT,
    TEMPLATE,
    Answer,
    Bake,
    Generate,
    Project,
    command_line,
    copy_template,
    jinja_template,
    run,
    tool,
)
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
).filter(lambda slug: not re.search(r"\{[{%#]", slug))  # what cookiecutter makes of tags is checked
AS_MANY = [
    100,
    pytest.param(1_000, marks=pytest.mark.slow),
    pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.long]),
]


def said(read: Callable[[str], str]) -> dict[str, str]:
    """Return the name and the description as each reader of the project sees it."""
    assignments = [node for node in ast.parse(read("api/__init__.py")).body if isinstance(node, ast.Assign)]
    constants = {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in assignments}
    heading, _, introduction = read("README.md").split("\n")[:3]
    return {
        "title": constants["TITLE"],
        "description": constants["DESCRIPTION"],
        "metadata": tomllib.loads(read("pyproject.toml"))["project"]["description"],
        "heading": heading.removeprefix("# "),
        "introduction": introduction,
    }


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
        name: options.prune_text(jinja_template(TEMPLATE / name).render(cookiecutter=given), enabled, Path(name).suffix)
        for name in names
    }


class TestAccepted:
    """Answers that a project is made from."""

    def test_any_text_comes_out_as_it_went_in(self, generate: Generate, tmp_path: Path) -> None:
        name, description = " ".join(NASTY[:4]), " ".join(NASTY[4:8])
        done = generate("project_slug=shop", f"project_name={name}", f"description={description}")
        assert done.returncode == 0, done.stderr
        assert said(Project(tmp_path / "shop").text) == {
            "title": name,
            "heading": name,
            **dict.fromkeys(SAYING, description),
        }

    @pytest.mark.parametrize(("name", "slug"), [("Café & Söhne 2", "cafe-sohne-2"), ("🚀", "backend")])
    def test_a_slug_is_made_of_any_name(self, generate: Generate, tmp_path: Path, name: str, slug: str) -> None:
        assert generate(f"project_name={name}").returncode == 0
        assert Project(tmp_path / slug).has("api/main.py")

    def test_free_text_goes_into_few_files(self, bake: Bake) -> None:
        project = bake(project_name="Quetzalcoatl", description="Xylophone", project_slug="shop")
        names = [name for name in project.files() if re.search("Quetzalcoatl|Xylophone", project.text(name))]
        assert sorted(names) == sorted(TEXT_FILES)

    @pytest.mark.parametrize("examples", AS_MANY)
    def test_accepted_text_comes_out_as_it_went_in(self, pre: ModuleType, tmp_path: Path, examples: int) -> None:
        passed = 0

        @settings(max_examples=examples)
        @given(name=TEXTS, description=TEXTS)
        def check(name: str, description: str) -> None:
            nonlocal passed
            files = written(pre, {"project_name": name, "description": description, "project_slug": "shop"})
            if files:
                passed += 1
                expected = {"title": name, "heading": name, **dict.fromkeys(SAYING, description)}
                assert said(files.__getitem__) == expected
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
                assert f" -t {slug} .\n" in files["Makefile"]

        check()

    def test_words_for_yes_keep_the_example_and_words_for_no_remove_it(self, bake: Bake) -> None:
        words: dict[bool, list[Answer]] = {
            True: ["yes", "true", "1", "ON", True],
            False: ["no", "F", "0", "OFF", False],
        }
        for kept, values in words.items():
            assert {bake(example=value).has("api/routers/budgets.py") for value in values} == {kept}


class TestRefused:
    """Answers that nothing is made from."""

    @pytest.mark.parametrize(
        "answer",
        [
            *("project_name=a\nb", "project_name=caf\udce9", "description=abc\u202edef", "description=x\n"),
            *(
                "description=x  # option: example",
                "description={# gone #}x",
                "project_slug=é",
                "project_slug=../escape",
            ),
            "base_image=python:3.11-slim",
        ],
    )
    def test_a_refusal_leaves_nothing(self, generate: Generate, tmp_path: Path, home: Path, answer: str) -> None:
        (home / "tmp").mkdir()
        outside = set(tmp_path.parent.iterdir())
        done = generate(answer, env={"TMPDIR": str(home / "tmp")})
        assert done.returncode == 1
        name, _, value = answer.partition("=")
        assert re.search(rf"\n{name} = {re.escape(ascii(value))}\n  It .+\n  Try: ", done.stderr)
        assert list(tmp_path.iterdir()) == [home]
        assert set(tmp_path.parent.iterdir()) == outside
        assert list((home / "tmp").iterdir()) == []

    @pytest.mark.parametrize("slug", [".", "", "a/b/c"])
    def test_a_slug_that_is_no_name_changes_nothing(self, generate: Generate, tmp_path: Path, slug: str) -> None:
        (tmp_path / "README.md").write_text("mine", encoding="utf-8")
        before = set(tmp_path.iterdir())
        done = generate("-f", f"project_slug={slug}")
        assert done.returncode == 1
        assert f"project_slug = {slug!r}\n" in done.stderr
        assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"
        assert os.name == "nt" or set(tmp_path.iterdir()) == before

    def test_a_wrong_choice_is_refused(self, generate: Generate, tmp_path: Path, home: Path) -> None:
        for answer, shown in {
            "example=banana": "could not be converted to a",
            "database=mysql": "the choices are",
        }.items():
            done = generate(answer)
            assert done.returncode == 1
            assert shown in done.stderr
        assert list(tmp_path.iterdir()) == [home]

    def test_a_misspelt_answer_shows_in_the_options(self, generate: Generate) -> None:
        done = generate("ci=none", "databse=sqlite")
        assert done.returncode == 0
        assert "\n  options  auth, ci=none, database=postgresql, example, python_version=3.13\n" in done.stdout

    @pytest.mark.skipif(os.name == "nt", reason="the command line is for a Unix shell")
    @pytest.mark.parametrize("made", ["", "mkdir output; git init output/bad-slug"])
    def test_a_refusal_ends_with_a_command_to_paste(
        self, generate: Generate, tmp_path: Path, home: Path, made: str
    ) -> None:
        here = tmp_path / "it's my späce & $HOME"
        copy_template(here / "template")
        assert run(("bash", "-ec", made), cwd=here).returncode == 0
        name = """It's "x" \\ $HOME `id` $(id) 🍪 !x"""
        answers = (f"project_name={name}", "description=", "project_slug=bad-slug", "base_image=python", "auth=no")
        template = os.path.relpath(here / "template", tmp_path)
        done = generate("-f", "-o", str(here / "output"), *answers, template=template)
        assert done.returncode == 1
        *_, command = done.stderr.partition("\nWith all suggestions:\n\n")[2].split("\nERROR")[0].strip().splitlines()
        path = f"{tool('cookiecutter').parent}{os.pathsep}{os.environ['PATH']}"
        pasted = run(("bash", "-c", command), cwd=tmp_path, env={"HOME": str(home), "PATH": path})
        assert pasted.returncode == 0, pasted.stderr
        project = Project(here / "output/bad-slug")
        assert said(project.text).items() >= {"title": name, "description": ""}.items()
        assert project.text("Dockerfile").startswith("FROM python:3.13-slim AS base\n")
        assert not project.has("api/services/auth.py")

    def test_template_tags_are_refused_when_typed(self, tmp_path: Path, home: Path) -> None:
        command = (sys.executable, "-m", "cookiecutter", "-o", tmp_path, ROOT)
        done = run(command, cwd=tmp_path, env={"HOME": str(home)}, typed="{{ 7*7 }}\nshop\n" + "\n" * 20)
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
        texts = said(project.text)
        assert (texts["title"], texts["description"]) == (NASTY[0], NASTY[1])
        assert not project.has("api/services/auth.py")

    def test_defaults_of_the_user_are_judged_too(self, generate: Generate, tmp_path: Path, home: Path) -> None:
        done = generate(self.configured(home, description=None, project_slug=12, auth=5))
        assert done.returncode == 1
        for complaint in ("description = None", "project_slug = '12'", "auth = '5'"):
            assert f"\n{complaint}\n  It must be " in done.stderr
        assert list(tmp_path.iterdir()) == [home]
        assert "mysql provided for choice" in generate(self.configured(home, database="mysql")).stderr

    def test_a_replay_is_the_same(self, generate: Generate, archive: Path, tmp_path: Path, home: Path) -> None:
        answers = ("project_slug=shop", f"project_name={NASTY[0]}", f"description={NASTY[1]}", "example=no")
        assert generate(*answers).returncode == 0
        (replay,) = home.rglob("*.json")
        for way in (("--replay",), ("--replay-file", replay)):
            output = tmp_path / way[0].strip("-")
            command = (sys.executable, "-m", "cookiecutter", "-o", output, *way, archive)
            done = run(command, cwd=tmp_path, env={"HOME": str(home)})
            assert done.returncode == 0, done.stderr
            assert same(Project(output / "shop"), Project(tmp_path / "shop"))

    def test_an_edited_replay_is_judged_and_all_complaints_come_at_once(self, tmp_path: Path, home: Path) -> None:
        wrong = dict.fromkeys((name for name in QUESTIONS if not name.startswith("_")), "{{ 7*7 }}\x00")
        replay = home / "replay.json"
        replay.write_text(json.dumps({"cookiecutter": QUESTIONS | wrong | {"project_slug": "Shop"}}), encoding="utf-8")
        command = (sys.executable, "-m", "cookiecutter", "-o", tmp_path, "--replay-file", replay, ROOT)
        done = run(command, cwd=tmp_path, env={"HOME": str(home)})
        assert done.returncode == 1
        assert [name for name in wrong if f"\n{name} = " not in done.stderr] == []
        assert list(tmp_path.iterdir()) == [home]


def same(one: Project, other: Project) -> bool:
    """Whether two projects differ in their secrets and in the record of their template alone."""
    names = [name for name in one.files() if name not in (".env", ".cruft.json")]
    return one.files() == other.files() and all(one.text(name) == other.text(name) for name in names)


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

    @pytest.mark.parametrize("made", ["mkdir", "git init"])
    def test_an_empty_one_is_written_into(self, generate: Generate, bake: Bake, tmp_path: Path, made: str) -> None:
        project = Project(tmp_path / "budget-api")
        assert run((*made.split(), project.path), cwd=tmp_path).returncode == 0
        done = generate("-f")
        assert done.returncode == 0, done.stderr
        shutil.rmtree(project.path / ".git", ignore_errors=True)
        assert same(project, bake())

    def test_git_shows_what_changed(self, generate: Generate, bake: Bake, project: Project) -> None:
        done = generate("-f", "auth=no")
        assert done.returncode == 0, done.stderr
        kept = dict.fromkeys((*self.OWN, *self.IGNORED[:3]), self.MINE)
        assert {name: project.text(name) for name in kept} == kept
        assert " .env     ok (kept as it was)\n" in done.stdout
        fresh = bake(auth=False)
        files = [name for name in fresh.files() if name != ".env"]
        assert {name: project.text(name) for name in files} == {name: fresh.text(name) for name in files}
        assert set(git(project.path, "diff", "--name-only").split()) == set(self.SHARED)
        new = git(project.path, "ls-files", "--others", "--exclude-standard").split()
        assert set(new) == set(files) - {*self.SHARED, ".gitignore"}

    @pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ("rm -rf .git", "git does not keep what is in it"),
            ("rm -rf .git; git -C .. init; echo budget-api > ../.gitignore", "git could not restore ./"),
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
    @pytest.mark.parametrize(
        "env",
        [{"GIT_DIR": "../clean/.git", "GIT_WORK_TREE": "../clean"}, {"GIT_INDEX_FILE": "x"}, {"PATH": "/nowhere"}],
        ids=str,
    )
    def test_a_misleading_environment_is_no_help(
        self, generate: Generate, project: Project, env: dict[str, str]
    ) -> None:
        git(project.path.parent, "clone", "--quiet", str(project.path), "clean")
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


@pytest.mark.parametrize("slugs", [("one", "two"), ("same", "same")], ids=str)
def test_two_at_once_do_not_spoil_each_other(
    bake: Bake, archive: Path, tmp_path: Path, home: Path, slugs: tuple[str, ...]
) -> None:
    commands = [command_line(tmp_path, f"project_slug={slug}", template=archive) for slug in slugs]
    runs = [
        subprocess.Popen([str(part) for part in command], env=os.environ | {"HOME": str(home)}) for command in commands
    ]
    statuses = [process.wait(timeout=600) for process in runs]
    assert statuses == [0, 0] or (0 in statuses and len(set(slugs)) == 1)
    for slug in slugs:
        assert same(Project(tmp_path / slug), bake(project_slug=slug))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "kept"), [("yes", True), ("ON", True), ("no", False), ("0", False), ("banana", None)]
)
def test_the_oldest_cookiecutter_passes_booleans_on_as_they_are_typed(
    tmp_path: Path, home: Path, value: str, *, kept: bool | None
) -> None:
    oldest = (sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable, "--from", "cookiecutter==2.6.0")
    cache = run((sys.executable, "-m", "uv", "cache", "dir"), cwd=tmp_path).stdout.strip()
    command = (*oldest, "cookiecutter", *command_line(tmp_path, f"example={value}")[3:])
    done = run(command, cwd=tmp_path, env={"HOME": str(home), "UV_CACHE_DIR": cache})
    if kept is None:
        assert "example = 'banana'\n  It must be one of yes, y, true, t, on, 1, or one of no," in done.stderr
        assert list(tmp_path.iterdir()) == [home]
    else:
        assert done.returncode == 0, done.stderr
        assert Project(tmp_path / "budget-api").has("api/routers/budgets.py") is kept
        assert not Project(tmp_path / "budget-api").has("UNFINISHED")
