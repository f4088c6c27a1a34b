"""The hooks as modules: rules of answers, markers, pruning, and the form of the package that finishes a project."""

import ast
import json
import os
import re
import shutil
import stat
import string
import textwrap
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT, TEMPLATE, Bake, Project, jinja_template
from setup import options
from setup.finish import time_limit

HOOKS = [ROOT / "hooks/pre_gen_project.py", ROOT / "resource/hooks/post_gen_project.py"]
PACKAGE = TEMPLATE / "UNFINISHED" / "setup"
ANSWERS = TEMPLATE / "UNFINISHED" / "answers.json"
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
GOOD: dict[str, object] = dict.fromkeys((name for name in QUESTIONS if not name.startswith("_")), True)
GOOD |= {"project_name": "Shop", "project_slug": "shop", "description": "Sells.", "base_image": "python:3.13-slim"}
GOOD |= {"python_version": "3.13", "database": "postgresql", "ci": "github"}
ALL = options.enabled_options(GOOD)


class TestContext:
    """How the answers reach the hooks."""

    @given(answers=st.dictionaries(st.text(), st.text() | st.booleans()))
    def test_any_answers_arrive_as_they_were_given(self, answers: dict[str, str | bool]) -> None:
        assert json.loads(jinja_template(ANSWERS).render(cookiecutter=answers)) == answers
        for hook in HOOKS:
            text = jinja_template(hook).render(cookiecutter=answers)
            (value,) = re.findall(r'(?:^ANSWERS = |^RAW = |loads\()(r""".*""")', text, re.MULTILINE)
            assert json.loads(ast.literal_eval(value)) == answers

    def test_the_hooks_know_every_question_and_its_choices(self, pre: ModuleType) -> None:
        public = {name: value for name, value in QUESTIONS.items() if not name.startswith("_")}
        assert list(public) == pre.QUESTIONS.split()
        assert {name: tuple(value) for name, value in public.items() if isinstance(value, list)} == pre.CHOICES
        assert set(options.CHOICES) == set(pre.CHOICES)
        switches = {name for name, value in public.items() if isinstance(value, bool)}
        assert switches == {*options.SWITCHES, "create_venv", "check_docker"}
        assert pre.YES.split(", ") == list(options.YES)


class TestValidation:
    """Which answers are accepted."""

    GOOD_IMAGES = f"""
        python:3.13-slim python:3.13 python:3 docker.io/library/python:3.13.2-slim-trixie
        python:3.13-slim@sha256:{"0" * 64} localhost:5000/team_a/base--image@sha256:{"f" * 64}
        registry.access.redhat.com/ubi9/python-312:1.7 Registry.example.com/python-3.12:latest"""
    BAD_IMAGES = f"""
        python:3.13-alpine python:3.13-alpine3.23 gcr.io/distroless/python3-debian13:latest alpine:3.23
        python scratch python: Python:3.13 --platform=x $IMAGE:1 python:$(id) a//b:1 /python:3.13 https://x/python:3.13
        python:3.13" python:é python@sha256:0 {"x" * 255}:1 python:3.12-slim docker.io/library/python:3.14 mirror:5000/python:3.1-x"""
    BAD_NAMES = (
        *(
            "",
            " x",
            "x\u3000",
            "a\nb",
            "a\0b",
            "\x1b[31m",
            "a\u2028b",
            "a\x85b",
            "\ud800",
            "\ufeffx",
            "x\uffff",
            "a\u202eb",
        ),
        *("{{ x }}", "{% raw", "{# x #}y", "x  # option: example", "<!-- end: example -->", "x" * 201, None, True),
    )
    BAD_SLUGS = ". .. ../x /abs a/b a\\b Shop a_b -a a- a--b 3d é con lpt1 template0"

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("project_name", ['O\'Brien "B" \\', "日本 🍪 👩‍💻", "$(id) `id` ${X} %s {x}", "yes", "1.10", "# a: *b"]),
            ("description", ["", "Sells things."]),
            ("project_slug", ["a", "shop", "shop-2", "class", "con-api", "x" * 50]),
            ("base_image", GOOD_IMAGES.split()),
            ("example", [True, False, "yes", "no", "True", "OFF", "1", "0"]),
        ],
    )
    def test_good_answers_are_accepted(self, pre: ModuleType, name: str, values: list[object]) -> None:
        assert [value for value in values if pre.complaints(GOOD | {name: value})] == []

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("project_name", BAD_NAMES),
            ("description", ["<!-- end: example -->", "x" * 201, None]),
            ("project_slug", [*BAD_SLUGS.split(), "", "a\n", "x" * 51, None]),
            ("base_image", [*BAD_IMAGES.split(), "", "python:3.13 AS x", "python:3.13\nRUN id", None, 3.13]),
            ("example", ["banana", "", None, 2, "yes "]),
            ("database", ["mysql", "", None]),
        ],
    )
    def test_others_are_refused_with_a_rule(self, pre: ModuleType, name: str, values: list[object]) -> None:
        for value in values:
            (complaint,) = pre.complaints(GOOD | {name: value})
            assert str(complaint).isascii()
            assert re.fullmatch(rf"{name} = .+\n  It .+\n  Try: .+", str(complaint))

    @pytest.mark.parametrize(
        ("text", "slug"), [("My Shop", "my-shop"), ("3D Café", "d-cafe"), ("NUL", "nul-api"), ("日本", "backend")]
    )
    def test_a_slug_is_suggested_from_what_was_typed(self, pre: ModuleType, text: str, slug: str) -> None:
        assert pre.suggested_slug(text) == slug

    @given(answers=st.dictionaries(st.sampled_from([*GOOD]), st.text() | st.booleans() | st.none()))
    def test_suggestions_are_accepted(self, pre: ModuleType, answers: dict[str, object]) -> None:
        refused = pre.complaints(GOOD | answers)
        assert pre.complaints(GOOD | answers | {complaint.name: complaint.suggestion for complaint in refused}) == []

    @settings(max_examples=25)
    @given(data=st.data())
    def test_an_accepted_base_is_one_word_that_no_format_quotes(self, pre: ModuleType, data: st.DataObject) -> None:
        image = data.draw(st.from_regex(pre.IMAGE, fullmatch=True))
        assert set(image) <= {*string.ascii_letters, *string.digits, *"._:/@-"}

    def test_all_complaints_come_at_once_in_the_order_of_the_questions(self, pre: ModuleType) -> None:
        assert [complaint.name for complaint in pre.complaints(dict.fromkeys(GOOD, "{{"))] == pre.QUESTIONS.split()

    def test_a_long_value_is_shown_in_part(self, pre: ModuleType) -> None:
        (complaint,) = pre.complaints(GOOD | {"description": "x" * 1000})
        assert "x...\n  It has 1000 characters" in str(complaint)


class TestMarkers:
    """Lines and blocks that belong to an option."""

    TEXT = textwrap.dedent("""\
        always
        one  # option: example
            # option: database=postgresql
            two
            three   # option: example
            # end: database=postgresql
        four  # option: auth|example
        last""")

    @pytest.mark.parametrize(
        ("enabled", "expected"),
        [
            ({"example", "database=postgresql"}, "always\none\n    two\n    three\nfour\nlast"),
            ({"database=postgresql"}, "always\n    two\nlast"),
            ({"example", "database=sqlite"}, "always\none\nfour\nlast"),
            ({"auth", "database=sqlite"}, "always\nfour\nlast"),
            ({"database=sqlite"}, "always\nlast"),
        ],
    )
    def test_lines_of_options_that_are_off_are_removed(self, enabled: set[str], expected: str) -> None:
        assert options.prune_text(self.TEXT, frozenset(enabled)) == expected

    def test_blocks_nest(self) -> None:
        text = "# option: example\na\n# option: database=sqlite\nb\n# end: database=sqlite\nc\n# end: example\n"
        assert options.prune_text(text, frozenset({"example"})) == "a\nc\n"
        assert options.prune_text(text, frozenset({"database=sqlite"})) == ""

    def test_markdown_has_its_own_markers(self) -> None:
        block = "<!-- option: database=sqlite -->\nc\n<!-- end: database=sqlite -->\n"
        text = f"| a | b | <!-- option: example -->\n{block}# option: example\n"
        assert options.prune_text(text, ALL, ".md") == "| a | b |\n# option: example\n"

    def test_all_else_stays_byte_for_byte(self, tmp_path: Path) -> None:
        text = '\ttabs \r\nU+2028\u2028 and \x0c and spaces   \nx = "# option: example"\n# options: none\n\n'
        assert options.prune_text(text, frozenset()) == text
        binary = tmp_path / "binary"
        binary.write_bytes(b"\xff\xfe option")
        binary.chmod(0o555)
        before = binary.stat()
        options.prune(tmp_path, ALL)
        assert binary.stat() == before

    @pytest.mark.parametrize(
        "text",
        [
            "x\ny  # option: exampel",
            "x\n# end: example",
            "# option: example\n# end: database=sqlite",
            "# option: example\n",
        ],
    )
    def test_a_wrong_marker_is_an_error_that_names_the_file(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "file.py").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"file\.py: "):
            options.prune(tmp_path, ALL)

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
    def test_a_pruned_file_keeps_its_mode(self, tmp_path: Path) -> None:
        path = tmp_path / "run.sh"
        path.write_text("a  # option: example\n", encoding="utf-8")
        path.chmod(0o755)
        options.prune(tmp_path, ALL)
        assert path.read_text(encoding="utf-8") == "a\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o755


class TestPruning:
    """Files and folders that belong to an option."""

    @staticmethod
    def project_with(folder: Path, *names: str) -> Project:
        """Make empty files."""
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        return Project(folder)

    def test_every_pattern_has_a_file_in_the_template(self) -> None:
        patterns = [pattern for patterns in options.OPTION_FILES.values() for pattern in patterns]
        assert [pattern for pattern in patterns if not any(TEMPLATE.glob(pattern))] == []

    def test_files_of_other_options_leave_no_empty_folder(self, tmp_path: Path) -> None:
        own = ("deploy/mine.yaml", "api/main.py", "deploy/base/mine.yaml")
        other = (
            "deploy/base/service.yaml",
            "deploy/overlays/staging/kustomization.yaml",
            "tests/services/test_auth.py",
        )
        project = self.project_with(tmp_path, *own, *other)
        options.prune(tmp_path, frozenset())
        assert project.files() == sorted(own)
        assert not project.has("tests")
        assert not project.has("deploy/overlays")

    def test_caches_of_the_template_go_and_those_of_a_venv_stay(self, tmp_path: Path) -> None:
        names = ("api/__pycache__/a.pyc", ".mypy_cache/3.13/deep.json", "venv/lib/__pycache__/b.pyc", "mine")
        project = self.project_with(tmp_path / ".pytest_cache" / "project", *names)
        options.prune(project.path, ALL)
        assert project.files() == ["mine", "venv/lib/__pycache__/b.pyc"]

    @pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
    def test_a_link_out_of_the_project_is_not_written_through(self, tmp_path: Path) -> None:
        project = self.project_with(tmp_path / "project", "mine")
        (tmp_path / "outside.py").write_text("a  # option: example\n", encoding="utf-8")
        (project.path / "link.py").symlink_to(tmp_path / "outside.py")
        (project.path / "folder").symlink_to(tmp_path)
        options.prune(project.path, ALL)
        assert (tmp_path / "outside.py").read_text(encoding="utf-8") == "a  # option: example\n"

    def test_pruning_twice_is_pruning_once(self, bake: Bake, tmp_path: Path) -> None:
        once, twice = bake(example=False, database="sqlite"), Project(tmp_path / "twice")
        shutil.copytree(once.path, twice.path)
        options.prune(twice.path, options.enabled_options(GOOD | {"example": False, "database": "sqlite"}))
        assert {name: twice.text(name) for name in twice.files()} == {name: once.text(name) for name in once.files()}


class TestPackage:
    """The form of the hooks and of the package in `UNFINISHED/`."""

    def test_no_module_is_long_and_the_hook_is_short(self) -> None:
        lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.glob("*.py")}
        assert {name: count for name, count in lines.items() if count > 200} == {}
        assert len((ROOT / "hooks/post_gen_project.py").read_text(encoding="utf-8").splitlines()) <= 20

    def test_no_import_is_circular(self) -> None:
        imports = {
            path.stem: {
                node.module.removeprefix("setup.")
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("setup.")
            }
            for path in PACKAGE.glob("*.py")
        }
        assert imports["finish"]
        TopologicalSorter(imports).prepare()

    def test_every_file_that_is_written_is_known_to_the_hook_that_protects_files(self, pre: ModuleType) -> None:
        names = [path.relative_to(TEMPLATE).as_posix() for path in TEMPLATE.rglob("*") if path.is_file()]
        assert [name for name in (*names, ".cruft.json") if not pre.WRITTEN.match(name)] == []


class TestTimeLimit:
    """BACKEND_TIMEOUT, the seconds that each check may take."""

    @pytest.mark.parametrize(("text", "seconds"), [("", 900), ("5", 5), ("0.5", 0.5)])
    def test_it_is_a_number_of_seconds(self, capsys: pytest.CaptureFixture[str], text: str, seconds: float) -> None:
        assert time_limit(text) == seconds
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
    def test_another_one_is_reported(self, capsys: pytest.CaptureFixture[str], text: str) -> None:
        assert time_limit(text) == 900
        assert f"BACKEND_TIMEOUT='{text}' is no number of seconds" in capsys.readouterr().out
