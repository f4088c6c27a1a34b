"""A resource that is added to a generated project: a finished slice, or nothing at all."""

import ast
import builtins
import errno
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from add_resource.edit import edits
from add_resource.main import defined_twice, prepare, write
from add_resource.project import Project as KnownProject
from add_resource.project import RefusedError, read_project
from add_resource.resource import RESERVED, read_resource, unusable
from conftest import PAIRWISE, ROOT, Answer, Bake, Project, command_line, copy_template, run, tool
from repository import commit, git
from serving import wait_until
from test_quality import check

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")

INVOICE = "number:str! total:money due:date? paid:bool"
EVERY_TYPE = (
    "number:str! note:text total:money? rate:decimal exact:decimal!? paid:bool sure:bool? size:int! date:date! born:date? "
    "datetime:datetime seen:datetime! token:uuid! other:uuid? mail:email! second:email? status:enum=open|paid|void one:enum=a?"
)
# What code depends on; the other options add none.
OPTION_SETS = list({tuple(answers.items())[:4]: dict(tuple(answers.items())[:4]) for answers in PAIRWISE}.values())

Adopt = Callable[..., Project]


@pytest.fixture
def adopt(bake: Bake, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Adopt:
    """Return a function that makes a project to write into, under version control, with its tools installed."""
    monkeypatch.setenv("PATH", f"{environment}{os.pathsep}{os.environ['PATH']}")

    def adopt(**answers: Answer) -> Project:
        project = Project(shutil.copytree(bake(**answers).path, tmp_path / "adopted"))
        (project.path / "venv").symlink_to(environment.parent)
        git(project.path, "init", "--quiet")
        (project.path / ".git/info/exclude").write_text("venv\n", encoding="utf-8")
        commit(project.path, "Start")
        return project

    return adopt


@pytest.fixture
def template(tmp_path: Path) -> Project:
    """Return the template in a repository of its own."""
    template = Project(copy_template(tmp_path / "template.git"))
    git(template.path, "init", "--quiet")
    commit(template.path, "Start")
    return template


@pytest.fixture(scope="session")
def known(bake: Bake) -> KnownProject:
    """Return what is read of the default project."""
    return read_project(bake().path)


def answers_of(name: str, fields: str, plural: str = "") -> dict[str, str]:
    return {"name": name, "fields": fields, "plural": plural}


def add(project: Project, name: str, fields: str, plural: str = "") -> None:
    """Do what the hook does, without the second that its command line takes."""
    write(project.path, *prepare(answers_of(name, fields, plural), project.path))


def make(project: Project, *variables: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Type `make resource`; the tools are there already."""
    return project.run("make", "-o", "venv/.installed", "resource", *variables, env=env)


def changes(project: Project) -> list[str]:
    return project.run("git", "status", "--porcelain", "--untracked-files=all").stdout.splitlines()


def assert_tests_pass(project: Project, words: str, *files: str, **variables: str) -> None:
    done = project.run("pytest", "-q", "-p", "no:cacheprovider", "-k", words, *files, env=variables)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


class TestFields:
    """What can be typed."""

    @pytest.mark.parametrize("word", ["date", "datetime", "type", "list", "order", "match", "x1", "a" * 30])
    def test_a_name_that_means_something_elsewhere_can_be_a_field(self, word: str) -> None:
        assert unusable(word, RESERVED) == []

    @pytest.mark.parametrize(
        ("name", "fields", "words"),
        [
            ("", "a:str", "lower_case"),
            ("Invoice", "a:str", "lower_case"),
            ("../../x", "a:str", "lower_case"),
            ("x" * 31, "a:str", "at most 30"),
            ("class", "a:str", "reserved"),
            ("list", "a:str", "reserved"),
            ("doc", "a:str", "api/main.py has the name docs already; plural="),
            ("budget", "a:str", "api/models/budgets.py has budgets already"),
            ("problem", "a:str", "api/schemas/problems.py has Problem already"),
            ("request", "a:str", "two things called Request"),
            ("invoice", "", "A field is name:type"),
            ("invoice", "a a:strr b:str!! c:bool! d:int=3 e:enum f:enum=A g:ref h:str?x", "'a a:strr b:str!! c:bool!"),
            ("invoice", "import:str Number:str metadata:int id:int model_a:int l:int", "'import' is"),
            ("invoice", "a:str a:int", "Two fields are called a"),
            ("invoice", "budget:ref=budgets budget_id:uuid", "Two fields are called budget_id"),
            ("invoice", "state:enum=a|a", "must differ"),
            ("invoice", "payer:ref=users", "it can refer to budgets"),
            ("invoice", "one:ref=transactions", "it can refer to budgets"),
            ("invoice" * 4, f"{'x' * 30}:ref=budgets", "is longer than 63"),
            ("invoice", "create:str", "two things called InvoiceCreate"),
        ],
    )
    def test_what_cannot_be_is_refused(self, bake: Bake, name: str, fields: str, words: str) -> None:
        with pytest.raises(RefusedError) as refused:
            prepare(answers_of(name, fields), bake().path)
        assert words in str(refused.value)

    def test_every_reason_is_given_at_once(self, bake: Bake) -> None:
        with pytest.raises(RefusedError) as refused:
            prepare(answers_of("class", "id:str a:text! b:ref=nothing a:int"), bake().path)
        for words in ("'class'", "'id'", "'a:text!' can't be read", "b: it can refer to budgets."):
            assert words in str(refused.value)


class TestProjects:
    """Projects that a slice is added to, however they were edited."""

    @pytest.mark.parametrize(
        ("file", "change", "words"),
        [
            ("tests/services/test_invoices.py", lambda _: "", "exists already"),
            ("api/main.py", lambda text: text.replace("include_router", "add_router"), "no place for new lines"),
            ("api/main.py", lambda text: f"{text})", "must be Python.*git status"),
            ("migrations/versions/x.py", lambda _: 'revision = "x"\ndown_revision = None\n', "alembic merge heads"),
            ("pyproject.toml", lambda text: text.replace("[tool.cookiecutter-backend]", "[tool.x]"), "pyproject.toml"),
        ],
    )
    def test_a_project_without_a_place_for_it_is_not_changed(
        self, adopt: Adopt, file: str, change: Callable[[str], str], words: str
    ) -> None:
        project = adopt()
        path = project.path / file
        path.write_text(change(path.read_text("utf-8") if path.exists() else ""), encoding="utf-8")
        before = changes(project)
        with pytest.raises(RefusedError, match=words):
            add(project, "invoice", INVOICE)
        assert changes(project) == before

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: re.sub(
                r"(routers import) \(\s*(\w+,\s*)+\)",
                lambda found: re.sub(r" \(|,?\s*\)", "", " ".join(found[0].split())),
                text,
            ),
            lambda text: text.replace("    problems,\n", "    # Errors.\n    problems,  # RFC 9457\n"),
            lambda text: re.sub(
                r"(    app\.include_router\(\w+\.router\)\n)+",
                "    for each in (health, budgets, transactions):\n        app.include_router(each.router)\n",
                text,
            ),
            lambda text: text.replace(
                "    app.include_router(transactions.router)\n",
                "    budgets.router.include_router(transactions.router)\n    app.include_router(budgets.router)\n",
            ),
            lambda text: re.sub(r"\bapp(?=\.| = problems|\)| *$)", "web", text, flags=re.MULTILINE),
            lambda text: text.replace("\n", "\r\n"),
            lambda text: text.replace("\n\n", "\n\n\n\n"),
        ],
        ids=["one line", "comments", "loop", "nested", "other name", "windows", "not formatted"],
    )
    @pytest.mark.parametrize("name", ["account", "zebra"])
    def test_a_router_joins_the_others_however_they_are_listed(
        self, adopt: Adopt, change: Callable[[str], str], name: str
    ) -> None:
        project = adopt(auth=False)
        path = project.path / "api/main.py"
        path.write_bytes(change(path.read_text(encoding="utf-8")).encode())
        before, after = edits(read_resource(answers_of(name, "a:str"), read_project(project.path)))["api/main.py"]
        kept, lines = before.decode().splitlines(), after.decode().splitlines()
        assert len(lines) >= len(kept) + 1
        assert sum(f"include_router({name}s.router)" in line for line in lines) == 1
        assert b"\r\n" not in before or after.count(b"\r\n") == after.count(b"\n")
        path.write_bytes(after)
        if "\n\n\n\n" not in before.decode():
            for command in (("check", "--select", "I,F"), ("format", "--check")):
                done = project.run("ruff", *command, "--no-cache", path)
                assert done.returncode == 0, done.stdout

    @pytest.mark.slow
    def test_a_project_that_was_edited_by_hand_gets_a_slice_in_its_own_format(self, adopt: Adopt) -> None:
        project = adopt(telemetry=False)
        pyproject = project.text("pyproject.toml").replace("line-length = 120", "line-length = 88")
        (project.path / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        for command in (("alembic", "revision", "-m", "nothing yet"), ("ruff", "check", "--fix"), ("ruff", "format")):
            done = project.run(*command, env={"RUFF_NO_CACHE": "true"})
            assert done.returncode == 0, done.stdout + done.stderr
        commit(project.path, "Edit by hand")
        add(project, "person", f"{INVOICE} budget:ref=budgets", plural="people")
        [last] = project.path.glob("migrations/versions/*_nothing_yet.py")
        [migration] = project.path.glob("migrations/versions/*_people.py")
        assert f'down_revision: str | None = "{last.name.partition("_")[0]}"' in migration.read_text(encoding="utf-8")
        for command in (("ruff", "check", "--no-cache"), ("ruff", "format", "--no-cache", "--check")):
            done = project.run(*command)
            assert done.returncode == 0, done.stdout
        assert_tests_pass(project, "people or migrations")


class TestBranches:
    """Two branches that each add a resource."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("one", "other", "complete"),
        [
            ("account", "zebra", False),
            ("invoice", "receipt", False),
            ("receipt", "invoice", True),
            ("invoice_line_item_of_someone", "invoice", False),
        ],
    )
    def test_they_merge_without_a_conflict(
        self, adopt: Adopt, environment: Path, tmp_path: Path, one: str, other: str, *, complete: bool
    ) -> None:
        project = adopt()
        add(project, "tag", "name:str!")
        commit(project.path, "tag")
        for name in (one, other):
            git(project.path, "switch", "--quiet", "--create", name, "main")
            add(project, name, f"{INVOICE} size:int budget:ref=budgets source:ref=tags target:ref=tags?")
            commit(project.path, name)
        git(project.path, "merge", "--quiet", "--no-edit", one)
        configure = "import api.main, sqlalchemy.orm; sqlalchemy.orm.configure_mappers()"
        merge = ("alembic", "merge", "heads", "-m", "merge")
        for command in (("python", "-c", configure), merge, ("ruff", "check", "--fix")):
            done = project.run(*command, env={"RUFF_NO_CACHE": "true"})
            assert done.returncode == 0, done.stdout + done.stderr
        add(project, "after_merge", f"one:ref={one}s other:ref={other}s")
        if complete:
            assert check(project.path, environment, tmp_path) == {}
            assert_tests_pass(project, f"{other}s or after_merges or migrations")
            assert_tests_pass(project, other, "tests/fuzz.py")


WORDS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.sampled_from(
        re.findall(
            r"\w+",
            """type limit order user check select group name total items offset hash format filter set list property cls
            match case body page token password key value errors table column default null true x1 client count index tuple
            t date datetime entity session fields request id_1 service""",
        )
    ),
).filter(lambda word: not word.endswith("_id") and not unusable(word, RESERVED))
VALUES = st.lists(st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True), min_size=1, max_size=4, unique=True)
UNIQUE = ("str", "int", "money", "decimal", "date", "datetime", "uuid", "email", "ref")


@st.composite
def field_lists(draw: st.DrawFn) -> str:
    """Make up fields; which table one refers to is decided when it is known what there is."""
    texts = []
    for word in draw(st.lists(WORDS, min_size=1, max_size=7, unique=True)):
        kind = draw(st.sampled_from((*UNIQUE, "text", "bool", "enum")))
        argument = {"enum": f"={'|'.join(draw(VALUES))}", "ref": f"=<{draw(st.integers(0, 99))}>"}.get(kind, "")
        marks = draw(st.sampled_from(("", "", "?", "!", "?!"))) if kind in UNIQUE else draw(st.sampled_from(("", "?")))
        texts.append(f"{word}:{kind}{argument}{marks}")
    return " ".join(texts)


def some_field_lists(count: int) -> list[str]:
    """Return so many lists."""
    found: list[str] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate])
    @given(field_lists())
    def collect(fields: str) -> None:
        found.append(fields)

    collect()
    return found


def with_tables(fields: str, project: KnownProject) -> str:
    """Let fields refer to tables that are there, if there are any."""
    tables = [table for table, model in project.models.items() if not project.auth or "owner_id" in model.attributes]
    if not tables:
        return re.sub(r"ref=<\d+>", "uuid", fields)
    return re.sub(r"<(\d+)>", lambda index: tables[int(index[1]) % len(tables)], fields)


class TestSlices:
    """What is written."""

    @settings(max_examples=200)
    @given(fields=field_lists())
    def test_any_slice_is_python_and_shadows_no_builtin(self, known: KnownProject, fields: str) -> None:
        for file, text in read_resource(answers_of("thing", with_tables(fields, known)), known).render().items():
            compile(text, file, "exec", dont_inherit=True)
            assert not defined_twice(text)
            names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.AsyncFunctionDef)}
            assert not names & {*dir(builtins)}

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [3, pytest.param(40, marks=pytest.mark.long)])
    def test_random_slices_pass_all_checks_on_both_databases(
        self, adopt: Adopt, environment: Path, tmp_path: Path, postgresql: str, number: int
    ) -> None:
        project = adopt(**OPTION_SETS[0])
        for n, fields in enumerate(some_field_lists(number)):
            add(project, f"thing{n}", with_tables(fields, read_project(project.path)))
        assert check(project.path, environment, tmp_path) == {}
        words = " or ".join(f"thing{n}s" for n in range(number))
        assert_tests_pass(project, words)
        assert_tests_pass(project, words, TEST_DATABASE_URL=postgresql)
        done = project.run("alembic", "check", env={"DATABASE_URL": postgresql})
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.slow
    def test_ten_resources_in_a_row_refer_to_each_other(self, adopt: Adopt, environment: Path, tmp_path: Path) -> None:
        project = adopt(**OPTION_SETS[1])
        add(project, "user", EVERY_TYPE)  # without auth, a resource like any other
        for n in range(9):
            before = f"before:ref=thing{n - 1}s" if n else "lead:ref=users?"
            add(project, f"thing{n}", f"name:str! {before} first:ref={'thing0s?' if n > 1 else 'users!'}")
        assert check(project.path, environment, tmp_path) == {}
        assert_tests_pass(project, "users or thing8s or decimals or int32 or iso_date or multi_line_str")

    @pytest.mark.slow
    @pytest.mark.parametrize("answers", OPTION_SETS[2:], ids=lambda answers: "-".join(map(str, answers.values())))
    def test_every_option_set_takes_every_type(
        self, adopt: Adopt, environment: Path, tmp_path: Path, answers: dict[str, Answer]
    ) -> None:
        project = adopt(**answers)
        add(project, "client_account", EVERY_TYPE)
        add(project, "visit", "account:ref=client_accounts other:ref=client_accounts?! type:str")
        assert check(project.path, environment, tmp_path) == {}
        assert_tests_pass(project, "client_accounts or visits")

    @pytest.mark.parametrize("auth", [True, False])
    def test_every_field_of_a_request_has_a_readable_example(self, adopt: Adopt, *, auth: bool) -> None:
        project = adopt(auth=auth, example=False)
        add(project, "account", EVERY_TYPE)
        code = "import json; from api.main import app; print(json.dumps(app.openapi()['components']['schemas']))"
        schemas = json.loads(project.run("python", "-c", code).stdout)
        for fields in (schemas["AccountCreate"]["properties"], schemas["AccountUpdate"]["properties"]):
            assert len(fields) == len(EVERY_TYPE.split())
            for field in fields.values():
                kind = field.get("anyOf", [field])[0]
                readable = {"boolean", "date", "date-time", "uuid", "email"}
                assert (
                    {kind["type"], kind.get("format")} & readable
                    or "enum" in kind
                    or "const" in kind
                    or kind["examples"]
                )


@pytest.mark.slow
class TestCommand:
    """`make resource`, as it is typed."""

    def test_it_adds_a_slice_and_lists_its_files(self, adopt: Adopt) -> None:
        project = adopt()
        done = make(project, f"template={ROOT}", "name=invoice", f"fields={INVOICE} budget:ref=budgets")
        assert done.returncode == 0, done.stderr
        words = {"new     ": "??", "changed ": " M"}
        listed = [f"{words[line[:8]]} {line[9:]}" for line in done.stdout.splitlines() if line[:8] in words]
        assert sorted(listed) == sorted(changes(project))
        assert {line[3:] for line in listed if line.startswith(" M")} == {
            *("api/main.py", "api/models/__init__.py", "api/models/budgets.py", "api/models/users.py")
        }
        assert not project.has(".resource-templates")

    def test_a_refusal_is_one_message(self, adopt: Adopt) -> None:
        project = adopt()
        done = make(project, f"template={ROOT}", "name=class", "fields=a:str! b:enum=$$HOME; `d`")
        assert done.returncode != 0
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stderr.startswith("Nothing was changed:\nThe name 'class' is reserved")
        assert "'b:enum=$HOME; `d`' can't be read" in done.stderr
        assert changes(project) == []

    def test_a_template_can_be_an_address(self, adopt: Adopt, template: Project, home: Path) -> None:
        project = adopt()
        address = f"template={template.path.as_uri()}"
        done = make(project, address, "name=invoice", f"fields={INVOICE}", env={"HOME": str(home)})
        assert done.returncode == 0, done.stderr
        assert project.has("api/services/invoices.py")
        done = make(project, "template=file:///nothing.git", "name=x", "fields=a:str", env={"HOME": str(home)})
        assert done.stderr.startswith("The template could not be fetched: ")
        assert len(done.stderr.splitlines()) == 2  # the other is make's own

    def test_it_is_pinned_to_the_version_that_the_project_came_from(
        self, tmp_path: Path, template: Project, home: Path, environment: Path
    ) -> None:
        done = run(command_line(tmp_path, template=template.path.as_uri()), cwd=tmp_path, env={"HOME": str(home)})
        assert done.returncode == 0, done.stderr
        project = Project(tmp_path / "budget-api")
        (project.path / "venv").symlink_to(environment.parent)
        shutil.rmtree(template.path / "resource")
        commit(template.path, "Remove resources")
        with (project.path / "pyproject.toml").open("a", encoding="utf-8") as pyproject:
            pyproject.write('\n[tool.another]\ntemplate = "news.jinja"\ncommit = "none"\n')
        done = make(project, "name=invoice", f"fields={INVOICE}", env={"HOME": str(home)})
        assert done.returncode == 0, done.stderr
        assert project.has("api/services/invoices.py")

    def test_it_works_in_a_project_alone(self, tmp_path: Path) -> None:
        command = (tool("cookiecutter"), "--no-input", ROOT, "--directory", "resource", "name=invoice", "fields=a:str")
        done = run(command, cwd=tmp_path)
        assert done.returncode != 0
        assert "[tool.cookiecutter-backend]" in done.stderr
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_an_interruption_leaves_the_project_as_it_was(
        self, adopt: Adopt, tmp_path: Path, number: signal.Signals
    ) -> None:
        project = adopt()
        programs, temporary = project.path / "venv/bin", tmp_path / "temporary"
        (project.path / "venv").unlink()
        programs.mkdir(parents=True)
        temporary.mkdir()
        (programs / "cookiecutter").symlink_to(tool("cookiecutter"))
        (programs / "ruff").write_text(f"#!/bin/sh\ntouch {tmp_path / 'formatting'}\nexec sleep 60\n", encoding="utf-8")
        (programs / "ruff").chmod(0o755)
        command = ("make", "-o", "venv/.installed", "resource", f"template={ROOT}", "name=invoice", "fields=number:str")
        variables = {**os.environ, "TMPDIR": str(temporary)}
        with subprocess.Popen(command, cwd=project.path, env=variables, start_new_session=True) as process:
            wait_until((tmp_path / "formatting").exists, "the slice is formatted")
            os.killpg(process.pid, number)
        assert process.returncode != 0
        wait_until(lambda: not any(temporary.iterdir()), "nothing is left elsewhere")
        assert changes(project) == []


class TestFaults:
    """What happens half way."""

    @pytest.mark.parametrize(
        "error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()], ids=["disk", "ctrl-c"]
    )
    @pytest.mark.parametrize(
        ("method", "step"), [("mkdir", 0), ("mkdir", 1), ("mkdir", 12), ("replace", 0), ("replace", 3)]
    )
    def test_an_error_at_any_step_leaves_the_project_as_it_was(
        self, adopt: Adopt, monkeypatch: pytest.MonkeyPatch, method: str, step: int, error: BaseException
    ) -> None:
        project = adopt()
        prepared = prepare(answers_of("invoice", f"{INVOICE} budget:ref=budgets"), project.path)
        steps, real = count(), getattr(Path, method)

        def fail_once(*arguments: object, **options: object) -> object:
            if next(steps) == step:
                raise error
            return real(*arguments, **options)

        monkeypatch.setattr(Path, method, fail_once)
        with pytest.raises(type(error)):
            write(project.path, *prepared)
        assert changes(project) == []

    def test_what_a_killed_run_has_left_is_shown_by_git_and_named_by_the_next(self, adopt: Adopt) -> None:
        project = adopt()
        new, _ = prepare(answers_of("invoice", INVOICE), project.path)
        write(project.path, dict(list(new.items())[:2]), {})
        left = [line.removeprefix("?? ") for line in changes(project)]
        assert len(left) == 2
        with pytest.raises(RefusedError, match=r"If an interrupted run left it: `git status`"):
            add(project, "invoice", INVOICE)
        git(project.path, "clean", "--force", "-d", "--quiet")
        add(project, "invoice", INVOICE)

    def test_a_file_that_is_edited_meanwhile_is_not_replaced(self, adopt: Adopt) -> None:
        project = adopt()
        prepared = prepare(answers_of("invoice", INVOICE), project.path)
        (project.path / "api/main.py").write_text("mine", encoding="utf-8")
        with pytest.raises(RefusedError, match=r"api/main.py was edited meanwhile"):
            write(project.path, *prepared)
        assert changes(project) == [" M api/main.py"]
        assert project.text("api/main.py") == "mine"
