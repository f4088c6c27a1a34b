"""The hooks' functions, one by one, without baking."""

import ast
import errno
import json
import os
import shutil
import stat
import string
import sys
import textwrap
import threading
import time
import tomllib
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cookiecutter.environment import StrictEnvironment
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT, TEMPLATE, Answer, Bake, Project, assert_gone

# Hooks are imported from where they lie, so their classes are unknown to the type checker.
Work = Any

HOOKS = [*sorted((ROOT / "hooks").glob("*.py")), ROOT / "resource/hooks/post_gen_project.py"]
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
GOOD = {
    "project_name": "Shop",
    "project_slug": "shop",
    "description": "Sells things.",
    "python_version": "3.13",
    "base_image": "python:3.13-slim",
    "database": "postgresql",
    "example": True,
    "auth": True,
    "telemetry": True,
    "ci": "github",
    "kubernetes": True,
    "create_venv": True,
    "check_docker": True,
}


@pytest.fixture
def work(post: ModuleType, tmp_path: Path) -> Work:
    """A proof's work with plenty of time, which keeps what it says to itself."""
    return post.Work(tmp_path, 60, lambda _: None)


class TestContext:
    """How the answers reach a hook."""

    @pytest.mark.parametrize("hook", HOOKS, ids=lambda path: path.stem)
    @given(answers=st.dictionaries(st.text(), st.text() | st.booleans()))
    def test_any_answers_arrive_as_they_were_given(self, hook: Path, answers: dict[str, str | bool]) -> None:
        source = hook.read_text(encoding="utf-8").split("# {% raw %}")[0] + "# {% raw %}{% endraw %}"
        rendered = StrictEnvironment(context={}).from_string(source).render(cookiecutter=answers)
        assignments = [node for node in ast.parse(rendered).body if isinstance(node, ast.Assign)]
        assert json.loads(ast.literal_eval(assignments[-1].value)) == answers

    @pytest.mark.parametrize("hook", HOOKS, ids=lambda path: path.stem)
    def test_a_hook_is_the_same_python_before_and_after_rendering(self, hook: Path) -> None:
        source = hook.read_text(encoding="utf-8")
        rendered = (
            StrictEnvironment(context={}, keep_trailing_newline=True).from_string(source).render(cookiecutter=GOOD)
        )
        names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
        assert names == [node.name for node in ast.parse(rendered).body if isinstance(node, ast.FunctionDef)]

    def test_both_hooks_read_booleans_alike(self, pre: ModuleType, post: ModuleType) -> None:
        assert post.ON == pre.ON

    def test_the_validator_knows_every_question(self, pre: ModuleType) -> None:
        public = {name for name in QUESTIONS if not name.startswith("_")}
        assert public == {*pre.TEXTS, "project_slug", "base_image", *pre.CHOICES, *pre.SWITCHES}
        assert {name: tuple(QUESTIONS[name]) for name in pre.CHOICES} == pre.CHOICES
        assert all(isinstance(QUESTIONS[name], bool) for name in pre.SWITCHES)


class TestValidation:
    """What is said about each answer."""

    def test_good_answers_are_accepted(self, pre: ModuleType) -> None:
        assert pre.complaints(GOOD) == []

    @pytest.mark.parametrize(
        "text", ['O\'Brien "B" \\', "日本 🍪 👩‍💻", "$(id) `id` ${X} %s {x}", "yes", "1.10", "# a: *b"]
    )
    def test_any_printable_line_is_a_name(self, pre: ModuleType, text: str) -> None:
        assert pre.complaint_about_text("project_name", text) is None

    @pytest.mark.parametrize(
        "text",
        [
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
            "{{ x }}",
            "{% raw",
            "{# x #}y",
            "x  # option: example",
            "<!-- end: example -->",
            "x" * 201,
            None,
            True,
        ],
    )
    def test_other_names_are_refused_with_a_way_out(self, pre: ModuleType, text: object) -> None:
        complaint = pre.complaint_about_text("project_name", text)
        assert complaint.startswith("project_name = ")
        assert complaint.isascii()
        assert "\n  Try: " in complaint

    def test_a_description_may_be_empty(self, pre: ModuleType) -> None:
        assert pre.complaint_about_text("description", "") is None

    @given(text=st.text())
    def test_a_suggested_text_is_accepted(self, pre: ModuleType, text: str) -> None:
        assert pre.complaint_about_text("description", pre.cleaned_text(text)) is None

    @pytest.mark.parametrize("slug", ["a", "shop", "shop-2", "class", "con-api", "x" * 50])
    def test_words_and_dashes_make_a_slug(self, pre: ModuleType, slug: str) -> None:
        assert pre.complaint_about_slug(slug) is None

    @pytest.mark.parametrize(
        "slug",
        [
            "",
            ".",
            "..",
            "../x",
            "/abs",
            "a/b",
            "a\\b",
            "Shop",
            "a_b",
            "-a",
            "a-",
            "a--b",
            "3d",
            "é",
            "a\n",
            "con",
            "lpt1",
        ],
    )
    def test_other_slugs_are_refused(self, pre: ModuleType, slug: str) -> None:
        assert "project_slug" in pre.complaint_about_slug(slug)

    @pytest.mark.parametrize(
        ("text", "slug"), [("My Shop", "my-shop"), ("3D Café", "d-cafe"), ("NUL", "nul-api"), ("日本", "backend")]
    )
    def test_a_slug_is_suggested_from_what_was_typed(self, pre: ModuleType, text: str, slug: str) -> None:
        assert pre.suggested_slug(text) == slug

    @given(text=st.text())
    def test_a_suggested_slug_is_accepted(self, pre: ModuleType, text: str) -> None:
        assert pre.complaint_about_slug(pre.suggested_slug(text)) is None

    @pytest.mark.parametrize(
        "image",
        [
            "python:3.13-slim",
            "python:3.13",
            "python:3",
            "docker.io/library/python:3.13.2-slim-trixie",
            f"python:3.13-slim@sha256:{'0' * 64}",
            f"localhost:5000/team_a/base--image@sha256:{'f' * 64}",
            "registry.access.redhat.com/ubi9/python-312:1.7",
            "Registry.example.com/python-3.12:latest",
        ],
    )
    def test_an_image_with_a_tag_or_a_digest_is_a_base(self, pre: ModuleType, image: str) -> None:
        assert pre.complaint_about_image(image, "3.13") is None

    @pytest.mark.parametrize(
        "image",
        [
            "",
            "python",
            "scratch",
            "python:",
            "Python:3.13",
            "python:3.13 AS evil",
            "python:3.13\nRUN id",
            "python:3.13-slim\n",
            "--platform=x python:3.13",
            "$IMAGE:1",
            "python:$(id)",
            "a//b:1",
            "/python:3.13",
            "https://registry/python:3.13",
            'python:3.13"',
            "python:3.13 # x",
            "python:é",
            "python@sha256:0",
            f"{'x' * 255}:1",
            None,
            3.13,
        ],
    )
    def test_other_bases_are_refused(self, pre: ModuleType, image: object) -> None:
        complaint = pre.complaint_about_image(image, "3.13")
        assert complaint.startswith("base_image = ")
        assert complaint.endswith("\n  Try: python:3.13-slim")

    @pytest.mark.parametrize("image", ["python:3.12-slim", "docker.io/library/python:3.14", "mirror:5000/python:3.1-x"])
    def test_a_base_has_the_python_that_was_asked_for(self, pre: ModuleType, image: str) -> None:
        assert "and python_version is 3.13." in pre.complaint_about_image(image, "3.13")

    @given(data=st.data())
    def test_an_accepted_base_is_one_word_that_no_format_quotes(self, pre: ModuleType, data: st.DataObject) -> None:
        image = data.draw(st.from_regex(pre.IMAGE, fullmatch=True))
        assert set(image) <= {*string.ascii_letters, *string.digits, *"._:/@-"}

    @pytest.mark.parametrize("value", [True, False, "yes", "no", "True", "OFF", "1", "0"])
    def test_the_words_for_yes_and_no_are_booleans(self, pre: ModuleType, value: object) -> None:
        assert pre.complaint_about_switch("example", value) is None

    @pytest.mark.parametrize("value", ["banana", "", None, 2, "yes "])
    def test_other_words_are_no_booleans(self, pre: ModuleType, value: object) -> None:
        assert "example" in pre.complaint_about_switch("example", value)

    def test_all_complaints_come_at_once(self, pre: ModuleType) -> None:
        bad = dict.fromkeys(GOOD, "{{")
        assert [complaint.split(" = ")[0] for complaint in pre.complaints(bad)] == [
            *("project_name", "description", "project_slug", "python_version", "database", "ci"),
            "base_image",
            *("example", "auth", "telemetry", "kubernetes", "create_venv", "check_docker"),
        ]

    def test_a_long_value_is_shown_in_part(self, pre: ModuleType) -> None:
        assert pre.quoted("x" * 1000).endswith("... (1000 characters)")

    def test_a_slug_with_slashes_leaves_no_empty_folder_and_removes_no_other(
        self, pre: ModuleType, tmp_path: Path
    ) -> None:
        project = tmp_path / "full" / "empty" / "project"
        project.mkdir(parents=True)
        (tmp_path / "full" / "file").touch()
        pre.remove_empty_way(project, "project")
        pre.remove_empty_way(project, "../project")
        pre.remove_empty_way(project, str(project))
        assert project.exists()
        pre.remove_empty_way(project, "full/empty/project")
        assert list(tmp_path.rglob("*")) == [tmp_path / "full", tmp_path / "full" / "file"]


class TestMarkers:
    """Lines and blocks that belong to an option."""

    TEXT = textwrap.dedent("""\
        always
        one  # option: example
            # option: database=postgresql
            two
            three   # option: example
            # end: database=postgresql
        last""")

    @pytest.mark.parametrize(
        ("example", "database", "expected"),
        [
            (True, "postgresql", "always\none\n    two\n    three\nlast"),
            (False, "postgresql", "always\n    two\nlast"),
            ("yes", "sqlite", "always\none\nlast"),
            ("no", "sqlite", "always\nlast"),
        ],
    )
    def test_declined_lines_go_and_kept_ones_lose_their_marker(
        self, post: ModuleType, example: Answer, database: str, expected: str
    ) -> None:
        answers = GOOD | {"example": example, "database": database}
        assert post.prune_text(self.TEXT, answers) == expected

    def test_blocks_nest(self, post: ModuleType) -> None:
        text = "# option: example\na\n# option: database=sqlite\nb\n# end: database=sqlite\nc\n# end: example\n"
        assert post.prune_text(text, GOOD) == "a\nc\n"
        assert post.prune_text(text, GOOD | {"example": False, "database": "sqlite"}) == ""

    def test_markdown_has_its_own_markers(self, post: ModuleType) -> None:
        block = "<!-- option: database=sqlite -->\nc\n<!-- end: database=sqlite -->\n"
        text = f"| a | b | <!-- option: example -->\n{block}# option: example\n"
        assert post.prune_text(text, GOOD, post.MARKDOWN_MARKER) == "| a | b |\n# option: example\n"

    def test_all_else_stays_byte_for_byte(self, post: ModuleType) -> None:
        text = '\ttabs \r\nU+2028\u2028 and \x0c and spaces   \nx = "# option: example"\n# options: none\n\n'
        assert post.prune_text(text, GOOD) == text

    @pytest.mark.parametrize(
        "text",
        [
            "x\ny  # option: exampel",
            "x\n# end: example",
            "# option: example\n# end: database=sqlite",
            "# option: example\n",
        ],
    )
    def test_a_wrong_marker_is_an_error(self, post: ModuleType, tmp_path: Path, text: str) -> None:
        path = tmp_path / "file.py"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=r"file\.py: "):
            post.prune_file(path, GOOD)

    def test_only_files_that_change_are_written(self, post: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "run.sh"
        path.write_bytes(b"\xff\xfe binary")
        path.chmod(0o555)
        before = path.stat()
        post.prune_file(path, GOOD)
        assert path.stat() == before

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
    def test_a_pruned_file_keeps_its_mode(self, post: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "run.sh"
        path.write_text("a  # option: example\n", encoding="utf-8")
        path.chmod(0o755)
        post.prune_file(path, GOOD)
        assert stat.S_IMODE(path.stat().st_mode) == 0o755


class TestTemplate:
    """The hook and the template fit together."""

    def test_every_file_of_an_option_exists(self, post: ModuleType) -> None:
        names = [name for names in post.OPTION_FILES.values() for name in names]
        assert [name for name in names if not (TEMPLATE / name).exists()] == []

    def test_every_marker_is_known_and_balanced(self, post: ModuleType) -> None:
        paths = [path for path in post.project_files(TEMPLATE) if b" option: " in path.read_bytes()]
        assert paths
        for path in paths:
            syntax = post.MARKDOWN_MARKER if path.suffix == ".md" else post.HASH_MARKER
            post.prune_text(path.read_text(encoding="utf-8"), GOOD, syntax)

    def test_pruning_twice_is_pruning_once(self, post: ModuleType, bake: Bake, tmp_path: Path) -> None:
        answers: dict[str, Answer] = {"example": False, "database": "sqlite"}
        once, twice = bake(**answers), Project(tmp_path / "twice")
        shutil.copytree(once.path, twice.path)
        post.prune(twice.path, GOOD | answers)
        assert {name: twice.text(name) for name in twice.files()} == {name: once.text(name) for name in once.files()}


class TestRemoval:
    """Files and folders that belong to an option."""

    def test_declined_files_leave_no_empty_folder(
        self, post: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(post, "OPTION_FILES", {"example": ("a/b/file", "missing/file", "folder")})
        for name in ("a/b/file", "folder/x/y", "stays"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        post.remove_declined(tmp_path, GOOD | {"example": False})
        assert [path.name for path in tmp_path.iterdir()] == ["stays"]

    def test_nothing_is_removed_for_a_kept_option(self, post: ModuleType) -> None:
        kept = [name for option, names in post.OPTION_FILES.items() if post.holds(option, GOOD) for name in names]
        assert kept
        assert set(post.declined_files(GOOD)).isdisjoint(kept)

    def test_caches_of_the_template_go_and_those_of_a_venv_stay(self, post: ModuleType, tmp_path: Path) -> None:
        project = Project(tmp_path / ".pytest_cache" / "project")
        for name in ("api/__pycache__/a.pyc", ".mypy_cache/3.13/deep.json", "venv/lib/__pycache__/b.pyc", "mine"):
            (project.path / name).parent.mkdir(parents=True, exist_ok=True)
            (project.path / name).touch()
        post.remove_declined(project.path, GOOD)
        assert project.files() == ["mine", "venv/lib/__pycache__/b.pyc"]

    @pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
    def test_a_link_out_of_the_project_is_not_written_through(self, post: ModuleType, tmp_path: Path) -> None:
        outside, project = tmp_path / "outside.py", tmp_path / "project"
        outside.write_text("a  # option: example\n", encoding="utf-8")
        project.mkdir()
        (project / "link.py").symlink_to(outside)
        assert list(post.project_files(project)) == []


class TestEnv:
    """The secrets of a new project."""

    EXAMPLE = "# DATABASE_URL=\nSECRET_KEY=\nLOG_LEVEL=info\nOTHER_KEY=\n"

    def test_every_bare_setting_gets_a_secret_of_its_own(self, post: ModuleType) -> None:
        lines = post.with_secrets(self.EXAMPLE).splitlines()
        assert lines[0] == "# DATABASE_URL="
        assert lines[2] == "LOG_LEVEL=info"
        secrets = {lines[1].removeprefix("SECRET_KEY="), lines[3].removeprefix("OTHER_KEY=")}
        assert [len(secret) for secret in secrets] == [43, 43]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
    def test_the_file_is_for_its_owner_alone(self, post: ModuleType, tmp_path: Path) -> None:
        (tmp_path / ".env.example").write_text(self.EXAMPLE, encoding="utf-8")
        assert post.write_env(tmp_path).startswith("ok")
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600

    def test_a_file_that_is_there_stays(self, post: ModuleType, tmp_path: Path) -> None:
        (tmp_path / ".env.example").write_text(self.EXAMPLE, encoding="utf-8")
        (tmp_path / ".env").write_text("MINE=1\n", encoding="utf-8")
        assert "stays" in post.write_env(tmp_path)
        assert (tmp_path / ".env").read_text(encoding="utf-8") == "MINE=1\n"


class TestCommands:
    """How tools are run, judged and ended."""

    def test_output_comes_back_and_a_refusal_says_why(self, post: ModuleType, work: Work) -> None:
        assert work.run(sys.executable, "-c", "print('hi')").strip() == "hi"
        with pytest.raises(post.FailedError, match=r"ended with exit code 3\nthe reason"):
            work.run(sys.executable, "-c", "import sys; print('the reason'); sys.exit(3)")

    def test_a_command_that_is_missing_is_skipped(self, post: ModuleType, work: Work) -> None:
        with pytest.raises(post.SkippedError, match="cannot be started"):
            work.run("no-such-program-anywhere")

    @pytest.mark.skipif(os.name == "nt", reason="reads process groups")
    def test_a_slow_command_is_ended_with_all_it_started(self, post: ModuleType, tmp_path: Path) -> None:
        work = post.Work(tmp_path, 1, lambda _: None)
        child = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
        parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        with pytest.raises(post.SkippedError, match="stopped after 1 s while starting"):
            work.run(sys.executable, "-c", parent)
        assert_gone(tmp_path / "pid")

    def test_after_a_stop_no_command_starts(self, post: ModuleType, work: Work) -> None:
        work.stop("interrupted")
        with pytest.raises(post.SkippedError, match="interrupted"):
            work.run(sys.executable, "-c", "")

    @pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
    @pytest.mark.parametrize("sign", ["HUP", "INT", "TERM"])
    def test_a_command_that_ctrl_c_reaches_first_was_interrupted(self, post: ModuleType, work: Work, sign: str) -> None:
        with pytest.raises(post.SkippedError, match="interrupted while starting"):
            work.run("sh", "-c", f"kill -{sign} $$")

    @pytest.mark.parametrize(
        ("output", "reason"),
        [
            ("OSError: [Errno 28] No space left on device", "the disk is full"),
            ("The virtual environment was not created successfully because ensurepip is not available.", "ensurepip"),
            (
                "NewConnectionError('<...>: Failed to establish a new connection')",
                "the package index cannot be reached",
            ),
        ],
    )
    def test_an_obstacle_is_no_refusal(self, post: ModuleType, output: str, reason: str) -> None:
        verdict = post.verdict_on(["/usr/bin/tool"], 1, output)
        assert isinstance(verdict, post.SkippedError)
        assert reason in str(verdict)

    def test_a_reason_keeps_the_last_lines_that_say_something(self, post: ModuleType) -> None:
        output = "noise\n" * 9 + "\x1b[31mone\x1b[0m\n----\n>>> 12 | RUN x\ntwo\r\n\n 3 | COPY\nthree\nfour\n======\n"
        assert post.telling_lines(output) == "\none\ntwo\nthree\nfour"

    def test_children_see_the_index_and_no_other_project(self, post: ModuleType) -> None:
        ours = post.child_environment({"GIT_DIR": "x", "VIRTUAL_ENV": "x", "PYTHONHOME": "x", "PIP_INDEX_URL": "i"})
        assert ours == {"PIP_INDEX_URL": "i", **post.OUR_VARIABLES}


class TestProofs:
    """What is tried out in the finished project."""

    def test_they_run_side_by_side_and_show_that_they_are_alive(
        self, post: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(post, "HEARTBEAT_SECONDS", 0.1)
        said: list[str] = []
        both = threading.Barrier(2)

        def prove(work: Work) -> None:
            work.announce("meeting the other")
            both.wait(10)
            time.sleep(0.5)

        proofs = [post.Proof("one", "repeat one", prove), post.Proof("two", "repeat two", prove)]
        outcomes = post.prove_all(proofs, tmp_path, 60, said.append)
        assert [(outcome.step, outcome.ok, outcome.repeat) for outcome in outcomes] == [
            ("one", True, "repeat one"),
            ("two", True, "repeat two"),
        ]
        assert "one: meeting the other ..." in said
        assert "two: meeting the other, for 0 s so far ..." in said

    def test_a_proof_that_has_not_begun_at_ctrl_c_is_told_too(
        self, post: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin = threading.Thread.start

        def begin_and_be_interrupted(thread: threading.Thread) -> None:
            monkeypatch.setattr(threading.Thread, "start", begin)
            begin(thread)
            raise KeyboardInterrupt

        def prove(work: Work) -> None:
            work.run(sys.executable, "-c", "import time; time.sleep(60)")

        monkeypatch.setattr(post, "on_interrupts", lambda _: None)
        monkeypatch.setattr(threading.Thread, "start", begin_and_be_interrupted)
        proofs = [post.Proof("one", "repeat one", prove), post.Proof("two", "repeat two", prove)]
        outcomes = post.prove_all(proofs, tmp_path, 60, lambda _: None)
        assert [(outcome.step, outcome.verdict) for outcome in outcomes] == [
            ("one", "skipped: interrupted while starting"),
            ("two", "skipped: interrupted while starting"),
        ]

    @pytest.mark.parametrize(
        ("error", "verdict"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "skipped: the disk is full"),
            (PermissionError(errno.EACCES, "Permission denied"), "failed: [Errno 13] Permission denied"),
            (KeyError("x"), "failed: KeyError: 'x'"),
        ],
        ids=str,
    )
    def test_no_error_gets_out(self, post: ModuleType, error: Exception, verdict: str) -> None:
        def act() -> None:
            raise error

        assert post.verdict_of(act) == verdict


class TestInterpreter:
    """Which Python makes the venv."""

    def test_the_nearest_version_comes_first_and_of_two_the_older(self, post: ModuleType) -> None:
        assert post.by_distance(13)[:5] == [13, 12, 14, 11, 15]
        assert post.by_distance(11)[:3] == [11, 12, 13]

    def test_this_python_is_one(self, post: ModuleType, work: Work) -> None:
        found = post.probe(work, (sys.executable,))
        assert found.minor == sys.version_info.minor
        assert Path(found.path).resolve().is_relative_to(Path(sys.base_prefix).resolve())

    @pytest.mark.parametrize("script", ["exit 127", "echo nonsense", 'echo \'["pypy", 3, 13, "x"]\'', "echo '[]'"])
    @pytest.mark.skipif(os.name == "nt", reason="the scripts are for a shell")
    def test_what_does_not_run_as_python_is_none(
        self, post: ModuleType, work: Work, tmp_path: Path, script: str
    ) -> None:
        broken = tmp_path / "python3.13"
        broken.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        broken.chmod(0o755)
        assert post.probe(work, (str(broken),)) is None

    def test_the_nearest_is_taken_where_the_one_asked_for_is_missing(
        self, post: ModuleType, work: Work, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = {"a": post.Interpreter(11, "/a", "a"), "b": post.Interpreter(14, "/b", "b")}
        monkeypatch.setattr(post, "candidates", lambda *_: iter([("broken",), ("a",), ("b",)]))
        monkeypatch.setattr(post, "probe", lambda _, command: installed.get(command[0]))
        assert post.find_interpreter(work, 13).path == "/b"
        installed.clear()
        with pytest.raises(post.SkippedError, match=r"no Python 3\.13 is installed"):
            post.find_interpreter(work, 13)

    @pytest.mark.skipif(os.name == "nt", reason="pyenv-win has another layout")
    def test_the_newest_of_pyenv_comes_first(self, post: ModuleType, tmp_path: Path) -> None:
        for version in ("3.13.9", "3.13.10", "3.1.3", "3.12.1"):
            python = tmp_path / "versions" / version / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        found = post.pyenv_pythons(13, {"PYENV_ROOT": str(tmp_path), "HOME": "/nowhere"})
        assert [Path(path).parts[-3] for path in found] == ["3.13.10", "3.13.9"]

    @pytest.mark.skipif(os.name == "nt", reason="pyenv-win has another layout")
    def test_a_python_that_may_be_any_is_asked_after_those_of_that_name(
        self, post: ModuleType, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = ["b/python3.13", "pyenv/versions/3.13.0/bin/python", "a/python3", "a/python"]
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch(mode=0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
        monkeypatch.setenv("HOME", "/nowhere")
        found = [Path(command[0]) for command in islice(post.candidates(work, 13), len(names))]
        assert [path.relative_to(tmp_path).as_posix() for path in found] == names


class TestWords:
    """What the user reads."""

    @pytest.mark.parametrize(
        ("tool", "system", "command"),
        [
            (
                False,
                "posix",
                "python3.13 -m venv venv && venv/bin/pip install --require-hashes -r requirements-dev.txt",
            ),
            (
                False,
                "nt",
                "py -3.13 -m venv venv && venv\\Scripts\\pip install --require-hashes -r requirements-dev.txt",
            ),
            (
                "uv",
                "posix",
                (
                    "uv venv --seed --allow-existing --python 3.13 venv && "
                    "uv pip install --python venv --require-hashes -r requirements-dev.txt"
                ),
            ),
        ],
    )
    def test_the_command_for_the_venv_fits_tool_and_system(
        self, post: ModuleType, tool: str, system: str, command: str
    ) -> None:
        assert post.default_venv_command("3.13", with_uv=tool == "uv", system=system) == command

    def test_declined_proofs_are_not_mentioned(self, post: ModuleType) -> None:
        assert post.wanted_proofs(GOOD | {"create_venv": "no", "check_docker": False}) == []

    def test_the_summary_tells_results_reasons_commands_and_what_to_type_next(self, post: ModuleType) -> None:
        outcomes = [post.Outcome("venv", "ok (2.1 s)", "make it"), post.Outcome("docker", "failed: why\nbecause", "x")]
        text = post.summary(GOOD, outcomes, "shop", "posix")
        assert "  venv     ok (2.1 s)\n           repeat: make it\n" in text
        assert "  docker   failed: why\n             because\n           repeat: x\n" in text
        assert "cd shop\n  make run    (without make: venv/bin/uvicorn api.main:app --reload)" in text

    def test_windows_is_told_its_own_commands(self, post: ModuleType) -> None:
        assert "venv\\Scripts\\uvicorn api.main:app" in post.summary(GOOD, [], "shop", "nt")

    def test_the_folder_is_told_from_where_the_user_is(self, post: ModuleType, tmp_path: Path) -> None:
        project = tmp_path / "my out" / "shop"
        assert post.way_to(project, {"PWD": str(project.parent)}) == "shop"
        assert post.way_to(project, {"PWD": "/elsewhere"}) == post.quoted(str(project))

    @pytest.mark.parametrize(("text", "seconds"), [("", 900), ("5", 5), ("0.5", 0.5)])
    def test_the_time_limit_is_a_number_of_seconds(self, post: ModuleType, text: str, seconds: float) -> None:
        assert post.time_limit({"BACKEND_TIMEOUT": text}) == (seconds, "")

    @pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
    def test_another_time_limit_is_reported(self, post: ModuleType, text: str) -> None:
        seconds, remark = post.time_limit({"BACKEND_TIMEOUT": text})
        assert seconds == 900
        assert text in remark


class TestCruft:
    """Where nothing slow or random may happen."""

    def test_only_throw_away_copies_count_as_such(
        self, post: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(post.tempfile, "gettempdir", lambda: str(tmp_path))
        assert post.cruft_scratch({"_commit": "abc"}, tmp_path / "tmpab12_xyz" / "shop")
        assert not post.cruft_scratch({}, tmp_path / "tmpab12_xyz" / "shop")
        assert not post.cruft_scratch({"_commit": "abc"}, tmp_path / "shop")


class TestOrigin:
    """Where a project comes from."""

    @pytest.mark.parametrize("typed", [".", "../template", "{}"])
    def test_a_template_that_lies_here_is_known_by_its_whole_path(
        self, post: ModuleType, tmp_path: Path, typed: str
    ) -> None:
        template = tmp_path / "template"
        template.mkdir()
        (template / "cookiecutter.json").touch()
        typed = typed.format(template)
        answers = {"_template": typed, "_repo_dir": typed}
        assert post.origin_of(answers, tmp_path, {"PWD": str(template)}) == (str(template), "")

    def test_any_other_template_is_known_as_it_was_typed(self, post: ModuleType, tmp_path: Path) -> None:
        typed = "gh:somebody/cookiecutter-backend"
        answers = {"_template": typed, "_repo_dir": str(tmp_path / "missing")}
        assert post.origin_of(answers, tmp_path, {"PWD": str(tmp_path)}) == (typed, "")

    def test_it_is_what_cruft_was_told(self, post: ModuleType, tmp_path: Path) -> None:
        recorded = {"template": "https://example.com/template", "commit": "abc"}
        (tmp_path / ".cruft.json").write_text(json.dumps(recorded), encoding="ascii")
        assert post.origin_of({"_template": "."}, tmp_path, {}) == (recorded["template"], "abc")
        assert post.origin_of({"_template": "x", "_commit": "def"}, tmp_path, {}) == ("x", "def")

    def test_what_is_recorded_is_recorded_once(self, post: ModuleType, tmp_path: Path) -> None:
        path = tmp_path / "pyproject.toml"
        path.touch()
        for template in ('C:\\a "b"', "another"):
            post.write_origin(tmp_path, {**GOOD, "_template": template, "_commit": "abc"}, {})
        record = tomllib.loads(path.read_text("utf-8"))["tool"]["cookiecutter-backend"]
        assert (record["template"], record["commit"], record["auth"]) == ('C:\\a "b"', "abc", True)
