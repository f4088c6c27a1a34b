"""A resource that is added to a generated project: a finished slice, or nothing at all."""

import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from conftest import PAIRWISE, ROOT, Answer, Bake, Project, command_line, copy_template, load_hook, named, run, tool
from repository import commit, git
from serving import wait_until
from test_quality import check

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")

hook = load_hook("post_gen_project", "resource/hooks")

TEMPLATES = ROOT / "resource" / "{{cookiecutter.__templates}}"
ISSUED = "number:str! total:decimal due:date? paid:bool budget:ref=budgets"
EVERY_TYPE = (
    "number:str! note:text total:decimal? paid:bool sure:bool? size:int! due:date? born:date! at:datetime? "
    "seen:datetime! token:uuid! other_token:uuid? mail:email! second:email? status:enum=open|paid|void one:enum=a?"
)

Adopt = Callable[..., Project]


@pytest.fixture
def adopt(bake: Bake, environment: Path, tmp_path: Path) -> Callable[..., Project]:
    """Make a project to write into, under version control, with its tools installed."""

    def adopt(**answers: Answer) -> Project:
        project = Project(shutil.copytree(bake(**answers).path, tmp_path / "adopted"))
        (project.path / "venv").symlink_to(environment.parent)
        keep(project)
        return project

    return adopt


def keep(project: Project) -> None:
    """Commit whatever there is, but for the tools."""
    if not project.has(".git"):
        git(project.path, "init", "--quiet")
        (project.path / ".git/info/exclude").write_text("venv\n", encoding="utf-8")
    commit(project.path, "...")


def make(project: Project, *variables: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Type `make resource`; the tools are there already."""
    return project.run("make", "-o", "venv/.installed", "resource", *variables, env=env)


def resource(project: Project, *variables: str) -> subprocess.CompletedProcess[str]:
    """Type `make resource` with the template of this repository."""
    return make(project, f"template={ROOT}", *variables)


def answers_of(name: str, fields: str, **others: str) -> dict[str, str]:
    """Answer all questions."""
    return {"name": name, "fields": fields, "plural": "", "dry_run": "", **others}


def add(project: Project, name: str, fields: str, **others: str) -> None:
    """Do what the hook does, without the second that its command line takes."""
    hook.add_or_take_back(answers_of(name, fields, **others), TEMPLATES, project.path)


def changes(project: Project) -> str:
    """What git says of the project."""
    return project.run("git", "status", "--porcelain", "--untracked-files=all").stdout


def contents(project: Project) -> dict[str, bytes]:
    """Every file of the project, but for git's and the tools' own."""
    return {
        name: (project.path / name).read_bytes()
        for name in project.files()
        if not name.startswith((".git/", "venv/")) and "_cache/" not in name
    }


def assert_only_added(project: Project) -> None:
    """Nothing that was there is gone or different, but that lines have come in between."""
    numbers = project.run("git", "diff", "--numstat").stdout.splitlines()
    assert {line.split("\t")[1] for line in numbers} == {"0"}
    assert {line[:3] for line in changes(project).splitlines()} == {" M ", "?? "}


def assert_tests_pass(project: Project, words: str, **surroundings: str) -> None:
    done = project.run(
        project.path / "venv/bin" / "pytest", "-q", "-p", "no:cacheprovider", "-k", words, env=surroundings
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


class TestWords:
    """The names in a slice."""

    @pytest.mark.parametrize(
        ("name", "plural"),
        [
            *(("invoice", "invoices"), ("category", "categories"), ("day", "days"), ("box", "boxes"), ("bus", "buses")),
            *(("address", "addresses"), ("branch", "branches"), ("wish", "wishes"), ("person", "people")),
            *(
                ("analysis", "analyses"),
                ("shelf", "shelves"),
                ("order_item", "order_items"),
                ("sales_lady", "sales_ladies"),
            ),
            *(("grand_child", "grand_children"), ("news", "news"), ("photo", "photos"), ("hero", "heroes")),
        ],
    )
    def test_plurals_are_english(self, name: str, plural: str) -> None:
        assert hook.plural_of(name) == plural

    @pytest.mark.parametrize(
        "phrase",
        ["an invoice", "a budget", "a user", "an hour", "a unit", "an uncle", "a one time code", "an order item"],
    )
    def test_articles_are_those_that_are_spoken(self, phrase: str) -> None:
        assert hook.with_article(phrase.partition(" ")[2]) == phrase

    @given(st.text())
    def test_whatever_is_refused_gets_a_suggestion_that_is_not(self, text: str) -> None:
        assert hook.WORD.fullmatch(hook.suggested_word(text))
        assert len(hook.suggested_word(text)) <= hook.LONGEST_WORD

    def test_a_resource_may_have_another_plural(self, adopt: Adopt) -> None:
        project = adopt()
        add(project, "person", "name:str", plural="persons")
        assert project.has("api/models/persons.py")


@pytest.mark.slow
class TestCommand:
    """`make resource`, as it is typed."""

    def test_it_adds_a_slice_that_passes_all_checks(
        self, adopt: Adopt, environment: Path, postgresql: str, tmp_path: Path
    ) -> None:
        project = adopt()
        done = resource(project, "name=invoice", f"fields={ISSUED}")
        assert done.returncode == 0, done.stderr
        assert_only_added(project)
        added = {
            *(f"api/{room}/invoices.py" for room in ("dependencies", "models", "routers", "schemas", "services")),
            *(f"tests/{room}/test_invoices.py" for room in ("migrations", "routers", "services")),
            *("migrations/versions/0002_invoices.py", "tests/rows.py"),
            *("api/schemas/iso_date.py", "tests/schemas/test_iso_date.py"),
        }
        lines = [f"?? {name}" for name in added] + [" M api/main.py", " M api/models/__init__.py"]
        assert sorted(changes(project).splitlines()) == sorted(lines)
        assert sorted(re.findall(r"^  new      (.*)$", done.stdout, re.MULTILINE)) == sorted(added)
        assert check(project.path, environment, tmp_path) == {}
        assert_tests_pass(project, "")
        assert_tests_pass(project, "invoices or migrations", TEST_DATABASE_URL=postgresql)
        on_postgresql = project.run(environment / "alembic", "check", env={"DATABASE_URL": postgresql})
        assert on_postgresql.returncode == 0, on_postgresql.stdout + on_postgresql.stderr

    @pytest.mark.parametrize("auth", [True, False])
    def test_requests_that_nobody_thought_of_get_documented_answers(
        self, adopt: Adopt, environment: Path, *, auth: bool
    ) -> None:
        project = adopt(auth=auth, example=False)
        add(project, "client_account", EVERY_TYPE)
        add(project, "visit", "account:ref=client_accounts other:ref=client_accounts?!")
        fuzz = project.run(
            environment / "pytest", "-q", "-p", "no:cacheprovider", "tests/fuzz.py", "-k", "v1 or sequence"
        )
        assert fuzz.returncode == 0, fuzz.stdout
        assert "/v1/visits/{visit_id}" in (
            project.run(environment / "python", "-c", "from api.main import app; print(app.openapi())").stdout
        )

    def test_it_shows_what_it_would_write_and_writes_nothing(self, adopt: Adopt) -> None:
        project = adopt()
        before = contents(project)
        done = resource(project, "name=invoice", f"fields={ISSUED}", "dry_run=yes")
        assert done.returncode == 0, done.stderr
        assert contents(project) == before
        assert not project.has(".resource")
        shown = done.stdout[done.stdout.index("--- ") :]
        assert resource(project, "name=invoice", f"fields={ISSUED}").returncode == 0
        for name, content in contents(project).items():
            if content != before.get(name):
                old, new = before.get(name, b"").decode(), content.decode()
                lines = difflib.ndiff(old.splitlines(), new.splitlines())
                assert f"+++ {name}\n" in shown
                assert all(f"+{line[2:]}\n" in shown for line in lines if line.startswith("+ "))
        assert not re.search(r"^-(?!-- )", shown, re.MULTILINE)

    def test_it_is_pinned_to_the_version_that_the_project_came_from(
        self, tmp_path: Path, home: Path, environment: Path
    ) -> None:
        template = Project(copy_template(tmp_path / "template.git"))
        keep(template)
        url = template.path.as_uri()
        done = run(command_line(tmp_path, template=url), cwd=tmp_path, env={"HOME": str(home)})
        assert done.returncode == 0, done.stderr
        project = Project(tmp_path / "budget-api")
        (project.path / "venv").symlink_to(environment.parent)
        record = tomllib.loads(project.text("pyproject.toml"))["tool"]["cookiecutter-backend"]
        head = git(template.path, "rev-parse", "HEAD")
        assert (record["template"], record["commit"]) == (url, head)
        shutil.rmtree(template.path / "resource")
        keep(template)
        with (project.path / "pyproject.toml").open("a", encoding="utf-8") as pyproject:
            pyproject.write('\n[tool.another]\ntemplate = "news.jinja"\ncommit = "none"\n')
        done = make(project, "name=invoice", f"fields={ISSUED}", env={"HOME": str(home)})
        assert done.returncode == 0, done.stderr
        assert project.has("api/services/invoices.py")

    def test_it_says_all_that_is_wrong_and_changes_nothing(self, adopt: Adopt) -> None:
        project = adopt()
        before = contents(project)
        done = resource(
            project, "name=class", "fields=id:str a:text! b:enum=$$HOME; c:ref=nothing `d` e:int?", "dry_run=what"
        )
        assert done.returncode != 0
        assert re.findall(r"^(\w+) = ", done.stderr, re.MULTILINE) == ["name", *["fields"] * 4, "dry_run"]
        assert done.stderr.count("  Try: ") == 6
        assert contents(project) == before
        assert not project.has(".resource")

    def test_it_refuses_to_work_outside_of_such_a_project(self, tmp_path: Path) -> None:
        command = (
            tool("cookiecutter"),
            "--no-input",
            ROOT,
            "--directory",
            "resource",
            "name=invoice",
            "fields=number:str",
        )
        done = run(command, cwd=tmp_path)
        assert done.returncode != 0
        assert "[tool.cookiecutter-backend]" in done.stderr
        assert list(tmp_path.iterdir()) == []


class TestRefusals:
    """What is not written, and what the user hears."""

    @pytest.mark.parametrize(
        ("name", "fields", "words"),
        [
            ("", "number:str", "lower-case words"),
            ("Invoice", "number:str", "Try: invoice"),
            ("../../x", "number:str", "Try: x"),
            ("日本", "number:str", "Try: invoice"),
            ("x" * 41, "number:str", "at most 40"),
            ("class", "number:str", "Try: class_record"),
            ("list", "number:str", "calls something else so"),
            ("service", "number:str", "plural = 'services'"),
            ("page", "number:str", "calls something else so"),
            ("session", "number:str", "calls something else so"),
            ("setting", "number:str", "plural = 'settings'"),
            ("doc", "number:str", "api/main.py calls something else so"),
            ("sheep", "number:str", "Try: plural=sheep_list"),
            ("decimal", "number:str", "would call two things Decimal"),
            ("select", "number:str", "would call two things select"),
            ("budget", "number:str", "api/models/budgets.py has budgets already"),
            ("problem", "number:str", "has Problem already"),
            ("base", "number:str", "has Base already"),
            ("invoice", "", "There must be one at least"),
            ("invoice", "number", "A field is name:type"),
            ("invoice", "number:string", "Try: number:str"),
            ("invoice", "number:str!!", "A field is name:type"),
            ("invoice", "Number:str", "Try: number"),
            ("invoice", "import:str", "Try: the_import"),
            ("invoice", "metadata:str", "Try: the_metadata"),
            ("invoice", "parse_obj:str", "Try: the_parse_obj"),
            ("invoice", "id_1:int", "Try: the_id_1"),
            ("invoice", "id_:int", "Try: the_id"),
            ("invoice", "owner_id:uuid", "Try: the_owner_id"),
            ("invoice", "model_config:str", "Try: the_model_config"),
            ("invoice", "number:str number:int", "Two are called so"),
            ("invoice", "budget:ref=budgets budget_id:uuid", "Two are called so"),
            ("invoice", "paid:bool!", "cannot be unique"),
            ("invoice", "state:enum", "An enum names its choices"),
            ("invoice", "state:enum=a|a", "Its choices must differ"),
            ("invoice", "state:enum=a|\"'", "Its choices must differ"),
            ("invoice", "budget:ref=budget", "Try: budget:ref=budgets"),
            ("invoice", "payer:ref=users", "that belongs to a user"),
            ("invoice", "one:ref=transactions", "that belongs to a user"),
            ("invoice", f"{'x' * 40}:ref=budgets!", "more than 63"),
        ],
    )
    def test_a_name_or_field_that_cannot_be_is_refused(self, bake: Bake, name: str, fields: str, words: str) -> None:
        project = bake()
        before = contents(project)
        with pytest.raises(hook.RefusedError) as refused:
            add(project, name, fields)
        assert words in str(refused.value)
        assert "\n  Try: " in str(refused.value)
        assert contents(project) == before

    @pytest.mark.parametrize(
        ("file", "change", "words"),
        [
            ("tests/services/test_invoices.py", lambda _: "", "It is there already"),
            ("api/models/__init__.py", lambda _: "", "lists nothing"),
            ("api/main.py", lambda text: text.replace("include_router", "add_router"), "lists nothing"),
            ("api/main.py", lambda text: f"{text})", "It must be Python"),
            ("migrations/versions/x.py", lambda _: 'revision = "x"\ndown_revision = None\n', "alembic merge heads"),
            ("migrations/versions/x.py", lambda _: 'revision = "0001"\ndown_revision = None\n', "x.py both have it"),
            ("pyproject.toml", lambda text: text.replace("[tool.cookiecutter-backend]", "[tool.x]"), "pyproject.toml"),
        ],
    )
    def test_a_project_that_has_no_place_for_it_is_left_alone(
        self, adopt: Adopt, file: str, change: Callable[[str], str], words: str
    ) -> None:
        project = adopt()
        path = project.path / file
        path.write_text(change(path.read_text("utf-8") if path.exists() else ""), encoding="utf-8")
        before = contents(project)
        with pytest.raises(hook.RefusedError, match=re.escape(words)):
            add(project, "invoice", "number:str")
        assert contents(project) == before

    def test_a_schema_hides_no_model_of_its_name(self, adopt: Adopt) -> None:
        project = adopt()
        (project.path / "api/schemas/x.py").write_text("class Budget: ...\n", encoding="utf-8")
        assert hook.referable(hook.classes(project.path), auth=True)["budgets"] == "Budget"

    def test_the_same_resource_is_added_once(self, adopt: Adopt) -> None:
        project = adopt()
        add(project, "invoice", "number:str")
        before = contents(project)
        with pytest.raises(hook.RefusedError, match=r"api/models/invoices.py has invoices already"):
            add(project, "invoice", "number:str")
        assert contents(project) == before


# How people write the assembly, beside the way in which it was generated.
ASSEMBLIES: dict[str, Callable[[str], str]] = {
    "generated": lambda text: text,
    "one line": lambda text: re.sub(
        r"from api.routers import \(\n(.*?),\n\)",
        lambda match: f"from api.routers import {', '.join(match[1].split())}".replace(",,", ","),
        text,
        flags=re.DOTALL,
    ),
    "aliases": lambda text: (
        text.replace("    health,\n", "")
        .replace("    users,\n)\n", "    users,\n)\nfrom api.routers import (\n    health as health_router,\n)\n")
        .replace("(health.router)", "(health_router.router)")
    ),
    "comments": lambda text: text.replace("    problems,\n", "    # Errors.\n    problems,  # RFC 9457\n").replace(
        "(health.router)\n", "(health.router)  # for probes\n    # All others are below.\n"
    ),
    "prefix": lambda text: text.replace(
        "    app.include_router(transactions.router)\n",
        "    app.include_router(\n        transactions.router,\n        deprecated=True,\n    )\n",
    ),
    "loop": lambda text: re.sub(
        r"(    app\.include_router\(\w+\.router\)\n)+",
        "    for router in (health.router, users.router, auth.router, budgets.router, transactions.router):\n"
        "        app.include_router(router)\n",
        text,
    ),
    "nested": lambda text: text.replace(
        "    app.include_router(transactions.router)\n",
        "    budgets.router.include_router(transactions.router)\n    app.include_router(budgets.router)\n",
    ),
    "other name": lambda text: (
        text.replace("app.", "web.")
        .replace("app = problems", "web = problems")
        .replace("(app)", "(web)")
        .replace("return app", "return web")
    ),
    "condition": lambda text: text.replace(
        "    app.include_router(transactions.router)\n",
        "    if settings.shows_docs:\n        app.include_router(transactions.router)\n",
    ),
    "windows": lambda text: text.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("change", ASSEMBLIES.values(), ids=ASSEMBLIES.keys())
@pytest.mark.parametrize("names", ["accounts", "invoices", "zebras"])
def test_a_router_joins_the_others_however_they_are_listed(
    bake: Bake, environment: Path, tmp_path: Path, change: Callable[[str], str], names: str
) -> None:
    before = change(bake().text("api/main.py"))
    after = hook.with_router(before, names)
    assert sum(line.startswith("- ") for line in difflib.ndiff(before.splitlines(), after.splitlines())) == 0
    assert after.count("\n") - before.count("\n") == 2
    assert ("\r\n" in before) == after.endswith("\r\n")
    for text in (before, after):
        project = Project(shutil.copytree(bake().path / "api", tmp_path / "api", dirs_exist_ok=True).parent)
        shutil.copy(bake().path / "pyproject.toml", tmp_path)
        (project.path / "api/main.py").write_bytes(text.encode())
        for command in (("check", "--select", "I,F"), ("format", "--check")):
            done = project.run(environment / "ruff", *command, "--no-cache", "api/main.py")
            assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "names", ["accounts", "base_rates", "budget_lines", "invoices", "thing2s", "thing10s", "zebras"]
)
def test_a_model_joins_the_others_in_their_order(bake: Bake, environment: Path, tmp_path: Path, names: str) -> None:
    listed = bake().text("api/models/__init__.py")
    for already in ("thing3s", "invoice_lines", names):
        listed = hook.with_import(listed, f"api.models.{already}", "Model as Model")
    (tmp_path / "models.py").write_text(listed, encoding="utf-8")
    done = run((environment / "ruff", "check", "--isolated", "--select", "I", "--no-cache", "."), cwd=tmp_path)
    assert done.returncode == 0, done.stdout


WORDS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.sampled_from(
        [
            "type",
            "limit",
            "order",
            "user",
            "check",
            "select",
            "group",
            "name",
            "total",
            "items",
            "offset",
            "hash",
            "format",
            "filter",
            "set",
            "list",
            "property",
            "cls",
            "match",
            "case",
            "body",
            "page",
            "token",
            "password",
            "secret",
            "key",
            "value",
            "errors",
            "table",
            "column",
            "default",
            "null",
            "true",
            "x1",
            "x_2",
            "updated",
            "client",
        ]
    ),
)
OPTIONS = st.lists(st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True), min_size=1, max_size=4, unique=True)


@st.composite
def field_lists(
    draw: st.DrawFn,
) -> str:
    """Make up fields; what one refers to is decided when it is known what there is."""
    texts = []
    for word in draw(st.lists(WORDS, min_size=1, max_size=7, unique=True)):
        kind = draw(st.sampled_from(hook.TYPES))
        argument = {"enum": f"={'|'.join(draw(OPTIONS))}", "ref": f"=<{draw(st.integers(0, 99))}>"}.get(kind, "")
        marks = draw(st.sampled_from(("", "", "?", "!", "?!")))
        marks = marks.replace("!", "") if kind in hook.NEVER_UNIQUE else marks
        if hook.complaint_about_field(f"{word}:str") is None:
            texts.append(f"{word}:{kind}{argument}{marks}")
    fields = " ".join(texts) or "number:str"
    return fields if not any(hook.complaints_about_fields(fields.split())) else "number:str"


def with_tables(fields: str, tables: list[str]) -> str:
    """Let fields refer to tables that are there, if there are any."""
    if not tables:
        return re.sub(r"ref=<\d+>", "uuid", fields)
    return re.sub(r"<(\d+)>", lambda index: tables[int(index[1]) % len(tables)], fields)


def some_field_lists(count: int) -> Iterator[str]:
    """Give so many lists, all different."""
    found: set[str] = set()

    @settings(max_examples=20 * count, database=None, phases=[Phase.generate])
    @given(field_lists())
    def collect(fields: str) -> None:
        if len(found) < count:
            found.add(fields)

    collect()
    assert len(found) == count
    yield from found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "count"), [*zip(PAIRWISE[:4], (20, 10, 10, 10), strict=True)], ids=[*map(named, PAIRWISE[:4])]
)
def test_whatever_the_fields_are_fifty_slices_pass_all_checks(
    adopt: Adopt, tmp_path: Path, postgresql: str, answers: dict[str, Answer], count: int
) -> None:
    project = adopt(**answers)
    for number, fields in enumerate(some_field_lists(count)):
        tables = hook.referable(hook.classes(project.path), auth=answers["auth"])
        add(project, f"thing{number}", with_tables(fields, sorted(tables)))
    assert_only_added(project)
    assert check(project.path, project.path / "venv/bin", tmp_path) == {}
    some = " or ".join(f"thing{number}s" for number in range(0, count, 5))
    assert_tests_pass(project, some)
    if answers["database"] == "postgresql":
        assert_tests_pass(project, some, TEST_DATABASE_URL=postgresql)
        done = project.run("venv/bin/alembic", "check", env={"DATABASE_URL": postgresql})
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_users_of_the_projects_own_are_a_resource_like_any_other(adopt: Adopt) -> None:
    project = adopt(auth=False, example=False)
    add(project, "user", "name:str!")
    add(project, "project", "lead:ref=users")
    add(project, "task", "project:ref=projects client:str!")
    assert_tests_pass(project, "users or projects or tasks")


@pytest.mark.slow
def test_a_project_that_was_edited_by_hand_gets_a_slice_in_its_own_format(adopt: Adopt, tmp_path: Path) -> None:
    project = adopt()
    for name, change in {
        "pyproject.toml": lambda text: text.replace("line-length = 120", "line-length = 100"),
        "api/main.py": ASSEMBLIES["one line"],
    }.items():
        (project.path / name).write_text(change(project.text(name)), encoding="utf-8")
    for command in (
        ("alembic", "revision", "-m", "nothing yet"),
        ("ruff", "check", "--fix", "."),
        ("ruff", "format", "."),
    ):
        done = project.run(f"venv/bin/{command[0]}", *command[1:], env={"RUFF_NO_CACHE": "true"})
        assert done.returncode == 0, done.stdout + done.stderr
    keep(project)
    add(project, "invoice", ISSUED)
    assert_only_added(project)
    [revision] = [path.name.partition("_")[0] for path in project.path.glob("migrations/versions/*_nothing_yet.py")]
    assert f'down_revision: str | None = "{revision}"' in project.text("migrations/versions/0002_invoices.py")
    assert check(project.path, project.path / "venv/bin", tmp_path) == {}


MOVES = 15  # twelve new files, two lists, and the end
KILLED = """
import os, signal, sys
sys.path[:0] = {paths}
from conftest import load_hook
from pathlib import Path

hook, left = load_hook("post_gen_project", "resource/hooks"), {moves}

def die_at_last(move):
    def moved(*arguments, **options):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return move(*arguments, **options)
    return moved

os.link, Path.replace, Path.rename = map(die_at_last, (os.link, Path.replace, Path.rename))
hook.add({answers}, Path({templates!r}), Path.cwd())
"""


def kill(project: Project, moves: int) -> None:
    """Kill a run after so many of its moves."""
    answers = answers_of("invoice", ISSUED)
    code = KILLED.format(paths=[str(ROOT / "tests")], moves=moves, answers=answers, templates=str(TEMPLATES))
    assert project.run(sys.executable, "-c", code).returncode == -signal.SIGKILL


class TestFaults:
    """What happens half way."""

    @pytest.mark.slow
    @pytest.mark.parametrize("moves", range(MOVES))
    def test_what_a_killed_run_has_left_is_taken_back_by_the_next(self, adopt: Adopt, moves: int) -> None:
        project = adopt()
        before = contents(project)
        kill(project, moves)
        assert ".resource" not in changes(project)
        hook.take_back(project.path / ".resource", project.path)
        shutil.rmtree(project.path / ".resource")
        assert contents(project) == before
        assert not project.has("tests/migrations")

    @pytest.mark.slow
    def test_the_next_run_begins_with_what_there_was(self, adopt: Adopt) -> None:
        project = adopt()
        kill(project, MOVES - 1)
        assert "?? api/services/invoices.py" in changes(project)
        assert resource(project, "name=receipt", "fields=number:str").returncode == 0
        assert "invoice" not in changes(project)
        assert project.has("migrations/versions/0002_receipts.py")
        assert not project.has(".resource")

    def test_what_was_changed_since_a_kill_stays(self, adopt: Adopt) -> None:
        project = adopt()
        stage = project.path / ".resource"
        for folder in (stage / "after", project.path):
            (folder / "api/services").mkdir(parents=True, exist_ok=True)
            (folder / "api/services/invoices.py").write_text("1", encoding="utf-8")
        (project.path / "api/services/invoices.py").write_text("2", encoding="utf-8")
        hook.take_back(stage, project.path)
        assert project.text("api/services/invoices.py") == "2"

    @pytest.mark.slow
    @pytest.mark.parametrize("kibibytes", range(0, 260, 20))
    def test_a_full_disk_leaves_the_project_as_it_was(
        self, adopt: Adopt, mounted: Callable[[str], Path], kibibytes: int
    ) -> None:
        small = mounted("size=8m")
        project = Project(shutil.copytree(adopt().path, small / "shop", symlinks=True))
        before = contents(project)
        with (small / "filling").open("wb", buffering=0) as filling, suppress(OSError):
            while True:
                filling.write(b"x" * 4096)
        os.truncate(small / "filling", (small / "filling").stat().st_size - 1024 * kibibytes)
        done = resource(project, "name=invoice", f"fields={ISSUED}")
        (small / "filling").unlink()
        if done.returncode:
            assert contents(project) == before
            assert changes(project) == ""
        else:
            assert_only_added(project)

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_an_interruption_leaves_the_project_as_it_was(
        self, adopt: Adopt, tmp_path: Path, number: signal.Signals
    ) -> None:
        project = adopt()
        before = contents(project)
        programs, temporary = project.path / "venv/bin", tmp_path / "temporary"
        (project.path / "venv").unlink()
        programs.mkdir(parents=True)
        temporary.mkdir()
        (programs / "cookiecutter").symlink_to(tool("cookiecutter"))
        (programs / "ruff").write_text(f"#!/bin/sh\ntouch {tmp_path / 'formatting'}\nexec sleep 60\n", encoding="utf-8")
        (programs / "ruff").chmod(0o755)
        command = ("make", "-o", "venv/.installed", "resource", f"template={ROOT}", "name=invoice", "fields=number:str")
        surroundings = {**os.environ, "TMPDIR": str(temporary)}
        with subprocess.Popen(command, cwd=project.path, env=surroundings, start_new_session=True) as process:
            wait_until((tmp_path / "formatting").exists, "the slice is formatted")
            os.killpg(process.pid, number)
        assert process.returncode != 0
        wait_until(lambda: not project.has(".resource"), "the stage is gone")
        wait_until(lambda: not any(temporary.iterdir()), "nothing is left elsewhere")
        assert contents(project) == before
        assert changes(project) == ""

    def test_a_file_that_changes_in_the_meantime_is_not_replaced(
        self, adopt: Adopt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = adopt()
        move_in = hook.move_in

        def edit_and_move_in(*arguments: object) -> None:
            (project.path / "api/main.py").write_text("mine", encoding="utf-8")
            move_in(*arguments)

        monkeypatch.setattr(hook, "move_in", edit_and_move_in)
        with pytest.raises(hook.RefusedError, match="changed in the meantime"):
            add(project, "invoice", "number:str")
        assert changes(project) == " M api/main.py\n"
        assert project.text("api/main.py") == "mine"

    def test_what_is_taken_back_leaves_the_handling_of_signals_as_it_was(self, adopt: Adopt) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        with pytest.raises(hook.RefusedError):
            add(adopt(), "class", "number:str")
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before

    def test_two_runs_do_not_meet(self, adopt: Adopt) -> None:
        project = adopt()
        with (
            hook.alone(project.path),
            pytest.raises(hook.RefusedError, match="Another run is at work"),
            hook.alone(project.path),
        ):
            pass
