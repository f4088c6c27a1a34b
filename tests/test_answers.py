"""Good and hostile answers, through the real command line and the real parsers."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from cookiecutter.environment import StrictEnvironment
from cookiecutter.prompt import prompt_for_config
from hypothesis import assume, given
from hypothesis import strategies as st

from conftest import ROOT, TEMPLATE, Answer, Bake, Generate, Project, run

QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
TEXT_FILES = ("pyproject.toml", "api/__init__.py", "README.md")
NASTY = [
    'it\'s "x" \\',
    "''' \"\"\" \\N{x} \\u0022 %s {x} }} %}",
    "日本 é 🍪 👩‍💻",
    "$HOME ${X} $(id) `id` && rm -rf /",
    "yes: [no, *x] # @y | > - ? !z",
    "<script>alert(1)</script> & <b>",
    "endraw {x} # options: end",
    "x" * 200,
]


def said(files: dict[str, str]) -> dict[str, str]:
    """The description, as each reader of the project sees it."""
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
    }


def text_files(project: Project) -> dict[str, str]:
    """The files that free text is written into."""
    return {name: project.text(name) for name in TEXT_FILES}


class TestAccepted:
    """Answers that a project is made from."""

    @pytest.mark.parametrize("text", NASTY)
    def test_any_text_comes_out_as_it_went_in(self, bake: Bake, text: str) -> None:
        files = text_files(bake(project_name=text, description=text, project_slug="shop"))
        assert set(said(files).values()) == {text}
        assert text in files["README.md"].split("\n", 1)[1]

    def test_the_command_line_carries_it_too(self, generate: Generate, tmp_path: Path) -> None:
        done = generate(
            "project_slug=shop", *(f"{name}={' '.join(NASTY[:4])}" for name in ("project_name", "description"))
        )
        assert done.returncode == 0, done.stderr
        assert set(said(text_files(Project(tmp_path / "shop"))).values()) == {" ".join(NASTY[:4])}

    def test_free_text_goes_into_few_files(self, bake: Bake) -> None:
        project = bake(project_name="Quetzalcoatl", description="Xylophone", project_slug="shop")
        names = [name for name in project.files() if re.search("Quetzalcoatl|Xylophone", project.text(name))]
        assert sorted(names) == sorted(TEXT_FILES)

    @given(name=st.text(min_size=1, max_size=40), description=st.text(max_size=40))
    def test_whatever_is_accepted_comes_out_as_it_went_in(
        self, pre: ModuleType, post: ModuleType, name: str, description: str
    ) -> None:
        answers = {"project_name": name, "description": description, "project_slug": "shop"}
        assume(not any(pre.complaint_about_text(key, answers[key]) for key in pre.TEXTS))
        rendered = rendered_texts(answers)
        pruned = {
            file: post.prune_text(
                text,
                QUESTIONS | {"database": "sqlite"},
                post.MARKDOWN_MARKER if file.endswith(".md") else post.HASH_MARKER,
            )
            for file, text in rendered.items()
        }
        assert said(pruned) == {"title": name, "description": description, "metadata": description, "heading": name}

    def test_a_slug_is_made_of_any_name(self, generate: Generate, tmp_path: Path) -> None:
        assert generate("project_name=Café & Söhne 2").returncode == 0
        assert Project(tmp_path / "cafe-sohne-2").has("api/main.py")

    @pytest.mark.parametrize("value", ["yes", "true", "1", "ON", True])
    def test_yes_keeps_the_example(self, bake: Bake, value: Answer) -> None:
        assert bake(example=value).has("api/routers/budgets.py")

    @pytest.mark.parametrize("value", ["no", "False", "0", "OFF", False])
    def test_no_removes_it(self, bake: Bake, value: Answer) -> None:
        assert not bake(example=value).has("api/routers/budgets.py")

    def test_a_secret_is_in_no_record_of_the_answers(self, generate: Generate, tmp_path: Path, home: Path) -> None:
        assert generate().returncode == 0
        env = Project(tmp_path / "budget-api").text(".env")
        secrets = re.findall(r"^[A-Z_]+=(.{40,})$", env, flags=re.MULTILINE)
        records = [path.read_text(encoding="utf-8") for path in home.rglob("*.json")]
        assert secrets
        assert records
        assert not [secret for secret in secrets for record in records if secret in record]


def rendered_texts(answers: dict[str, str]) -> dict[str, str]:
    """Render the files that free text is written into as cookiecutter does it."""
    context = {"cookiecutter": prompt_for_config({"cookiecutter": QUESTIONS | answers}, no_input=True)}
    environment = StrictEnvironment(context=context, keep_trailing_newline=True)
    return {
        name: environment.from_string((TEMPLATE / name).read_text(encoding="utf-8")).render(**context)
        for name in TEXT_FILES
    }


class TestRefused:
    """Answers that nothing is made from."""

    @pytest.mark.parametrize(
        ("answer", "shown"),
        [
            ("project_name=a\nb", r"'a\nb'"),
            ("project_name=\x1b[31mred", r"'\x1b[31mred'"),
            ("description=abc\u202edef", r"'abc\u202edef'"),
            ("description=x  # option: example", "'x  # option: example'"),
            ("project_slug=Shop", "'Shop'"),
            ("project_slug=con", "'con'"),
            ("project_slug=é", r"'\xe9'"),
            ("project_slug=-rf", "'-rf'"),
            ("project_slug=../escape", "'../escape'"),
            (f"project_slug={'x' * 51}", f"'{'x' * 51}'"),
        ],
    )
    def test_a_refusal_tells_name_value_rule_and_way_out_and_leaves_nothing(
        self, generate: Generate, tmp_path: Path, home: Path, answer: str, shown: str
    ) -> None:
        outside = set(tmp_path.parent.iterdir())
        done = generate(answer)
        assert done.returncode == 1
        assert f"{answer.partition('=')[0]} = {shown}\n  It " in done.stderr
        assert "\n  Try: " in done.stderr
        assert list(tmp_path.iterdir()) == [home]
        assert set(tmp_path.parent.iterdir()) == outside

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

    def test_a_word_that_is_no_boolean_is_refused(self, generate: Generate, tmp_path: Path, home: Path) -> None:
        assert generate("example=banana").returncode == 1
        assert list(tmp_path.iterdir()) == [home]

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
