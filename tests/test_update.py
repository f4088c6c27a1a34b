"""Projects that live on: what is recorded of their template, and what `cruft` makes of it, with real histories of git."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import PAIRWISE, ROOT, TEMPLATE, TEMPLATE_FOLDERS, Answer, Generate, Project, copy_template, run, tool
from repository import commit, git
from test_project import bash_blocks, readme_blocks, removes_the_example
from test_secrets import secrets_of

ADDRESS = "https://git.example.com/team/cookiecutter-backend.git"
RECORD = ".cruft.json"
WAYS = ("cookiecutter", "cruft")

EARLIER = "earlier"
NOW = "now"

# How a release may have looked that is older than this one, and where: what is written now, and what was written then.
SINCE_EARLIER = {
    "Makefile": {"/uvicorn api.main:app --reload --reload-dir api --port 8000": "/uvicorn api.main:app --reload"},
    "README.md": {"looks for known vulnerabilities": "looks for vulnerabilities", "documents the API": "documents it"},
    "api/dependencies/settings.py": {
        "database_pool_size: int = Field(default=20,": "database_pool_size: int = Field(20,"
    },
    "api/main.py": {
        "    app.add_middleware(BodyLimitMiddleware)\n": "",
        "import BodyLimitMiddleware\n": "import BodyLimitMiddleware as BodyLimitMiddleware\n",
    },
    "compose.yaml": {"      retries: 60\n": "      retries: 30\n"},
    "pyproject.toml": {'"sqlalchemy[asyncio]>=': '"sqlalchemy[asyncio]>1,>='},
    "requirements.txt": {"\nsqlalchemy==": "\nsqlalchemy==1."},
    "requirements-dev.txt": {"\nsqlalchemy==": "\nsqlalchemy==1."},
}
RENAMED_SINCE = {"tests/test_pagination.py": "tests/test_pages.py"}

# An entity of a team's own, in the rooms that it needs.
OWN_FILES = {
    "api/schemas/colours.py": '''"""Colours."""

from api.schemas.base import ResponseBody


class ColourRead(ResponseBody):
    """A colour."""

    name: str
''',
    "api/services/colours.py": '''"""The colours that we know."""


def favourite() -> str:
    """Name the best one."""
    return "green"
''',
    "api/routers/colours.py": '''"""Colours over HTTP."""

from fastapi import APIRouter

from api.schemas.colours import ColourRead
from api.services import colours

router = APIRouter(prefix="/v1/colours", tags=["colours"])


@router.get("/favourite")
async def read_favourite() -> ColourRead:
    """The best one."""
    return ColourRead(name=colours.favourite())
''',
    "tests/routers/test_colours.py": '''"""The favourite colour."""

from fastapi.testclient import TestClient


def test_it_is_green(client: TestClient) -> None:
    assert client.get("/v1/colours/favourite").json() == {"name": "green"}
''',
}
OWN_LINES = {
    "api/main.py": {
        "    docs,\n": "    colours,\n    docs,\n",
        "    app.include_router(health.router)\n": "    app.include_router(health.router)\n    app.include_router(colours.router)\n",
    },
    "api/dependencies/settings.py": {
        "    docs: bool | None = None\n": '    docs: bool | None = None\n    motto: str = "Onwards"\n'
    },
    "compose.yaml": {'"8000:5000"': '"8080:5000"'},
    "README.md": {"# Budget API\n": "# Our colours\n\nAsk Ada before you change anything.\n"},
}


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Replace parts of a text that must be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def edit(folder: Path, changes: Mapping[str, Mapping[str, str]]) -> None:
    """Replace parts of files."""
    for name, parts in changes.items():
        path = folder / name
        path.write_text(replaced(path.read_text(encoding="utf-8"), parts), encoding="utf-8", newline="\n")


def released() -> list[str]:
    """Name every release of this repository, and the commit before the last; an archive or shallow clone has none."""
    tags = run(("git", "tag", "--list", "v*"), cwd=ROOT).stdout.split()
    before = run(("git", "rev-parse", "--verify", "--quiet", "HEAD~"), cwd=ROOT).stdout.split()
    return [*tags, *(["HEAD~"] if before else [])]


RELEASES = [EARLIER, *released()]


def put_template(repository: Path) -> None:
    """Write the template as it is here, over what a repository holds."""
    for name in TEMPLATE_FOLDERS:
        shutil.rmtree(repository / name, ignore_errors=True)
    copy_template(repository)


@dataclass(frozen=True)
class Upstream:
    """The template at an address, with all its history."""

    repository: Path
    env: dict[str, str]
    commits: dict[str, str]

    def make(self, way: str, output: Path, release: str = NOW, /, **answers: Answer) -> Project:
        """Make a project of a release, as people do it."""
        if way == "cruft":
            given = ["--extra-context", json.dumps(answers)]
            command: list[str | Path] = [tool("cruft"), "create", "--output-dir", output]
        else:
            given = [f"{name}={value}" for name, value in answers.items()]
            command = [tool("cookiecutter"), "--output-dir", output]
        output.mkdir(parents=True, exist_ok=True)
        common = ("--no-input", "--checkout", self.commits[release], ADDRESS)
        done = run((*command, *common, *given), cwd=output, env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        project = Project(output / str(answers.get("project_slug", "budget-api")))
        git(project.path, "init", "--quiet")
        commit(project.path, "Begin")
        return project

    def cruft(self, project: Project, *command: str) -> subprocess.CompletedProcess[str]:
        """Run cruft in a project."""
        return project.run(tool("cruft"), *command, env=self.env)

    def update(self, project: Project, **answers: Answer) -> None:
        """Bring a project up to date."""
        changed = ("--variables-to-update", json.dumps(answers)) if answers else ()
        self.accept(project, self.cruft(project, "update", "--skip-apply-ask", *changed))

    @staticmethod
    def accept(project: Project, done: subprocess.CompletedProcess[str]) -> None:
        """Commit an update that met no conflict."""
        assert done.returncode == 0, done.stdout + done.stderr
        assert "as clean as possible" in done.stdout, done.stdout + done.stderr
        assert [name for name in project.files() if name.endswith((".rej", ".orig"))] == []
        assert git(project.path, "ls-files", "--unmerged") == "", done.stderr
        commit(project.path, "Update")


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    """Put the history of this repository at an address; the last commit is what is here now, the one before `earlier`."""
    folder = tmp_path_factory.mktemp("upstream")
    repository = folder / "team" / "cookiecutter-backend.git"
    config = folder / "gitconfig"
    config.write_text(f'[url "{folder.as_uri()}/"]\n\tinsteadOf = https://git.example.com/\n', encoding="utf-8")
    with config.open("a", encoding="utf-8") as file:
        file.write("[user]\n\tname = Ada\n\temail = ada@example.com\n")
    if (ROOT / ".git").exists():
        git(folder, "clone", "--quiet", str(ROOT), str(repository))
    else:
        git(folder, "init", "--quiet", str(repository))
    commits = {release: git(repository, "rev-parse", f"{release}^{{commit}}") for release in released()}

    put_template(repository)
    template = repository / TEMPLATE.name
    for now, then in RENAMED_SINCE.items():
        (template / now).rename(template / then)
    edit(template, SINCE_EARLIER)
    commits[EARLIER] = commit(repository, "As it may have been earlier")
    put_template(repository)
    commits[NOW] = commit(repository, "As it is now")
    surroundings = {"GIT_CONFIG_GLOBAL": str(config), "HOME": str(folder), "COOKIECUTTER_CONFIG": ""}
    return Upstream(repository, surroundings, commits)


@pytest.fixture(scope="session")
def fresh(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Make a project of the template as it is now."""

    def fresh(**answers: Answer) -> Project:
        return upstream.make("cookiecutter", tmp_path_factory.mktemp("fresh"), **answers)

    return fresh


def record(project: Project) -> dict[str, object]:
    """What cruft knows of a project."""
    content: dict[str, object] = json.loads(project.text(RECORD))
    return content


class TestRecord:
    """`.cruft.json`, which a project keeps and everybody reads."""

    @pytest.mark.parametrize("way", WAYS)
    def test_a_new_project_is_up_to_date(self, upstream: Upstream, tmp_path: Path, way: str) -> None:
        project = upstream.make(way, tmp_path, project_name="Café & Söhne", project_slug="cafe", database="sqlite")
        for command in (("check",), ("diff", "--exit-code")):
            done = upstream.cruft(project, *command)
            assert done.returncode == 0, done.stdout + done.stderr
        assert git(project.path, "status", "--porcelain") == ""

    def test_the_hook_records_what_cruft_does(self, upstream: Upstream, tmp_path: Path) -> None:
        answers: dict[str, Answer] = {"project_name": "Café", "auth": False}
        one, other = (upstream.make(way, tmp_path / way, **answers, project_slug="cafe") for way in WAYS)
        assert record(one) == record(other)
        assert record(one)["template"] == ADDRESS
        assert record(one)["checkout"] == record(one)["commit"] == upstream.commits[NOW]

    def test_it_is_read_in_any_locale(self, upstream: Upstream, tmp_path: Path) -> None:
        project = upstream.make("cookiecutter", tmp_path, description="日本 🍪")
        assert project.text(RECORD).isascii()
        done = project.run(tool("cruft"), "check", env={**upstream.env, "LC_ALL": "C", "PYTHONUTF8": "0"})
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("way", WAYS)
    def test_no_secret_and_nothing_of_this_machine_is_in_it(self, upstream: Upstream, tmp_path: Path, way: str) -> None:
        project = upstream.make(way, tmp_path)
        for word in (*secrets_of(project), str(tmp_path), str(upstream.repository), str(Path.home())):
            assert word not in project.text(RECORD)

    @pytest.fixture
    def checkout(self, upstream: Upstream, tmp_path: Path) -> Path:
        """Clone the template, as somebody who changes it does."""
        git(tmp_path, "clone", "--quiet", ADDRESS, "checkout", env=upstream.env)
        return tmp_path / "checkout"

    def test_a_clean_checkout_is_recorded_under_its_address(
        self, upstream: Upstream, generate: Generate, checkout: Path, tmp_path: Path
    ) -> None:
        (checkout / "shop").mkdir()
        (checkout / "shop/made-here-before").touch()
        for url in (ADDRESS, ADDRESS.replace("https://", "https://ada:token@")):
            git(checkout, "remote", "set-url", "origin", url)
            done = generate("-f", template=checkout)
            assert "  updates  ok (cruft can update the project)\n" in done.stdout
            project = Project(tmp_path / "budget-api")
            assert record(project)["template"] == ADDRESS
            assert "token" not in project.text(RECORD)
            assert upstream.cruft(project, "check").returncode == 0

    def test_a_template_in_a_folder_is_recorded_with_it(
        self, upstream: Upstream, generate: Generate, tmp_path: Path
    ) -> None:
        everything = tmp_path / "everything"
        (everything / "templates").mkdir(parents=True)
        put_template(everything / "templates")
        git(everything, "init", "--quiet")
        commit(everything, "Begin")
        done = generate("--directory", "templates", template=f"git+{everything.as_uri()}", env=upstream.env)
        assert done.returncode == 0, done.stderr
        project = Project(tmp_path / "budget-api")
        assert record(project)["directory"] == "templates"
        assert upstream.cruft(project, "diff", "--exit-code").stdout == ""

    @pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (["git", "config", "--unset", "remote.origin.url"], "the template has no address where others find it"),
            (["git", "remote", "set-url", "origin", "/srv/x"], "the template has no address where others find it"),
            (["git", "remote", "set-url", "origin", "file:///x"], "the template has no address where others find it"),
            (["touch", f"{TEMPLATE.name}/new.py"], "the template has changes that are not committed"),
            (["rm", "hooks/pre_gen_project.py"], "the template has changes that are not committed"),
            (["git", "commit", "--allow-empty", "-m", "x"], "the template's commit was not pushed"),
            (["rm", "-r", ".git"], "the template is not kept in git"),
        ],
    )
    def test_what_others_would_not_find_is_not_recorded(
        self, generate: Generate, checkout: Path, tmp_path: Path, change: list[str], reason: str
    ) -> None:
        me = {"GIT_AUTHOR_NAME": "Me", "GIT_AUTHOR_EMAIL": "me@example.com"}
        me |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in me.items()}
        assert run(tuple(change), cwd=checkout, env=me).returncode == 0
        done = generate(template=checkout)
        assert done.returncode == 0, done.stderr
        assert f"  updates  skipped: {reason}\n" in done.stdout
        assert not Project(tmp_path / "budget-api").has(RECORD)

    @pytest.mark.skipif(os.name == "nt", reason="Windows looks for programs elsewhere too")
    def test_where_there_is_no_git_the_project_is_made_all_the_same(
        self, generate: Generate, checkout: Path, tmp_path: Path
    ) -> None:
        done = generate(
            "create_venv=no", "check_docker=no", template=checkout, env={"PATH": "/nowhere", "BACKEND_STRICT": "1"}
        )
        assert done.returncode == 0, done.stdout
        assert "  updates  skipped: git does not answer: " in done.stdout
        assert Project(tmp_path / "budget-api").has(".env")

    def test_one_that_is_there_is_kept_where_files_are_skipped_and_renewed_where_they_are_written(
        self, generate: Generate, checkout: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "budget-api" / RECORD
        path.parent.mkdir()
        path.write_text("mine", encoding="utf-8")
        assert "  updates  ok (yours stays as it was)\n" in generate("-f", "-s", template=checkout).stdout
        assert path.read_text(encoding="utf-8") == "mine"
        generate("-f", template=checkout)
        assert json.loads(path.read_text(encoding="utf-8"))["template"] == ADDRESS

    def test_one_that_tells_of_an_older_state_does_not_stay(
        self, generate: Generate, checkout: Path, tmp_path: Path
    ) -> None:
        generate(template=checkout)
        (checkout / TEMPLATE.name / "new.py").touch()
        done = generate("-f", template=checkout)
        assert f"not committed; the {RECORD} that was there is gone, since it told of an older state" in done.stdout
        assert not Project(tmp_path / "budget-api").has(RECORD)

    @pytest.mark.skipif(os.name == "nt", reason="Windows lets few people make links")
    def test_it_is_not_written_through_a_link(self, generate: Generate, checkout: Path, tmp_path: Path) -> None:
        (tmp_path / "budget-api").mkdir()
        (tmp_path / "elsewhere").write_text("mine", encoding="utf-8")
        (tmp_path / "budget-api" / RECORD).symlink_to(tmp_path / "elsewhere")
        done = generate("-f", template=checkout)
        assert "  updates  skipped: .cruft.json is a link, " in done.stdout
        assert (tmp_path / "elsewhere").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.name == "nt", reason="the tools are shell scripts")
def test_nothing_slow_or_random_happens_in_the_copies_that_cruft_compares(upstream: Upstream, tmp_path: Path) -> None:
    project = upstream.make("cookiecutter", tmp_path / "project", EARLIER)
    tools, temporary = tmp_path / "tools", tmp_path / "temporary"
    tools.mkdir()
    temporary.mkdir()
    for name in ("docker", "uv", "python3.13", "python3"):
        (tools / name).write_text(f'#!/bin/sh\necho "$0" >> "{tmp_path}/called"\n', encoding="utf-8")
        (tools / name).chmod(0o755)
    git_folder = Path(str(shutil.which("git"))).parent
    surroundings = {"PATH": f"{tools}:{git_folder}", "BACKEND_SKIP_SETUP": "", "TMPDIR": str(temporary)}
    before = project.text(".env")
    for command in (("diff",), ("update", "--skip-apply-ask")):
        done = project.run(tool("cruft"), *command, env={**upstream.env, **surroundings})
        assert done.returncode == 0, done.stderr
        assert "SECRET_KEY=" not in done.stdout
    assert project.text(".env") == before
    assert not (tmp_path / "called").exists()
    assert list(temporary.iterdir()) == []


def older(upstream: Upstream, way: str, output: Path, release: str) -> Project:
    """Make a project of a release that is older."""
    questions = json.loads(git(upstream.repository, "show", f"{upstream.commits[release]}:cookiecutter.json"))
    unknown = {name for name in questions if not name.startswith("_")} - set(
        json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    )
    if release == "HEAD~" and unknown:
        # Releases never lose a question, as test_release.py shows; a commit between them may.
        pytest.skip(f"the commit before asks for {', '.join(unknown)}, which no release does")
    project = upstream.make(way, output, release)
    if not project.has(RECORD):
        pytest.skip("this version records its template only where cruft makes the project")
    return project


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("way", WAYS)
def test_a_project_that_nobody_touched_becomes_a_fresh_one(
    upstream: Upstream, fresh: Callable[..., Project], tmp_path: Path, release: str, way: str
) -> None:
    project = older(upstream, way, tmp_path, release)
    assert upstream.cruft(project, "check").returncode == 1
    upstream.update(project)
    new = fresh()
    assert without_git(project) == without_git(new)
    assert {**record(project), "checkout": None} == {**record(new), "checkout": None}
    for command in (("check",), ("diff", "--exit-code")):
        assert upstream.cruft(project, *command).returncode == 0


def without_git(project: Project) -> dict[str, str]:
    """The files that cruft looks after, with what stands in them."""
    names = (name for name in project.files() if not name.startswith(".git/"))
    return {name: project.text(name) for name in names if name not in (".env", RECORD)}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
@pytest.mark.parametrize("release", RELEASES)
def test_a_project_that_people_work_on_is_updated_without_a_conflict(
    upstream: Upstream, environment: Path, tmp_path: Path, release: str
) -> None:
    project = older(upstream, "cruft", tmp_path, release)
    (project.path / "venv").symlink_to(environment.parent)
    with (project.path / ".git/info/exclude").open("a", encoding="utf-8") as file:
        file.write("venv\n")
    work_on(project)

    (follow,) = (block for block in readme_blocks(Project(TEMPLATE)) if "cruft" in block)
    upstream.accept(project, project.run("bash", "-ec", follow, env=upstream.env))

    assert set(OWN_FILES) <= set(project.files())
    assert not project.has("api/services/budgets.py")
    for name, lines in OWN_LINES.items():
        assert all(line in project.text(name) for line in lines.values()), name
    for name, lines in SINCE_EARLIER.items():
        assert all(line in project.text(name) for line in lines), name
    assert not [name for name in RENAMED_SINCE.values() if project.has(name)]
    for command in (
        ("pytest", "-q", "-p", "no:cacheprovider"),
        ("ruff", "check", "--no-cache", "."),
        ("lint-imports", "--no-cache"),
    ):
        done = project.run(environment / command[0], *command[1:])
        assert done.returncode == 0, done.stdout


def work_on(project: Project) -> None:
    """Do what people do to a new project in its first weeks, commit by commit."""
    files, tables = filter(removes_the_example, readme_blocks(project))
    assert project.run("bash", "-ec", files).returncode == 0
    for name in ("api/main.py", "api/models/__init__.py"):
        kept = [
            line for line in project.text(name).splitlines(keepends=True) if not re.search("budget|transaction", line)
        ]
        (project.path / name).write_text("".join(kept), encoding="utf-8")
    done = project.run("bash", "-ec", tables)
    assert done.returncode == 0, done.stdout + done.stderr
    commit(project.path, "Remove the example")
    for name, text in OWN_FILES.items():
        (project.path / name).write_text(text, encoding="utf-8")
    edit(project.path, OWN_LINES)
    commit(project.path, "Add colours, and a motto")


@pytest.mark.slow
def test_options_are_switched_on_and_off_later(
    upstream: Upstream, fresh: Callable[..., Project], tmp_path: Path
) -> None:
    project = upstream.make("cookiecutter", tmp_path, **PAIRWISE[0])
    for answers in (*PAIRWISE[1:], PAIRWISE[0]):
        upstream.update(project, **answers)
        assert without_git(project) == without_git(fresh(**answers))


@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
class TestTeams:
    """The page for teams, as it stands; `test_index.py` runs its commands for places without a network."""

    PAGE = "docs/teams.md"

    @pytest.fixture
    def surroundings(self, upstream: Upstream) -> dict[str, str]:
        """Have the tools on the PATH."""
        return {**upstream.env, "PATH": f"{tool('cruft').parent}{os.pathsep}{os.environ['PATH']}"}

    def test_defaults_of_a_team_are_those_of_its_projects(
        self, upstream: Upstream, surroundings: dict[str, str], tmp_path: Path
    ) -> None:
        page = (ROOT / self.PAGE).read_text(encoding="utf-8")
        (config,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        (tmp_path / "team.yaml").write_text(config, encoding="utf-8")
        (command,) = (block for block in bash_blocks(ROOT / self.PAGE) if "cookiecutter team:" in block)
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=tmp_path,
            env={**os.environ, **surroundings, "COOKIECUTTER_CONFIG": str(tmp_path / "team.yaml")},
            input="\n" * 20,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        project = Project(tmp_path / "shop")
        assert project.text("Dockerfile").startswith("FROM registry.example.com/mirror/python:3.12-slim AS base\n")
        assert '  image: "registry.example.com/mirror/python:3.12-slim"\n' in project.text(".gitlab-ci.yml")
        assert project.has("api/dependencies/telemetry.py")
        assert record(project)["template"] == ADDRESS
        assert upstream.cruft(project, "diff", "--exit-code").stdout == ""

    def test_an_update_is_proposed_to_many_projects(
        self, upstream: Upstream, surroundings: dict[str, str], tmp_path: Path
    ) -> None:
        shutil.copytree(ROOT / "docs", tmp_path / "docs")
        behind = upstream.make("cookiecutter", tmp_path / "behind", EARLIER)
        git(tmp_path, "clone", "--quiet", "--bare", str(behind.path), "behind.git")
        edit(behind.path, {"compose.yaml": {"retries: 30": "retries: 90"}})
        commit(behind.path, "Wait longer")
        git(tmp_path, "clone", "--quiet", "--bare", str(behind.path), "busy.git")
        current = upstream.make("cookiecutter", tmp_path / "current")
        git(tmp_path, "clone", "--quiet", "--bare", str(current.path), "current.git")
        addresses = [str(tmp_path / name) for name in ("behind.git", "busy.git", "current.git", "nowhere.git")]
        (tmp_path / "projects.txt").write_text("\n".join(addresses), encoding="utf-8")

        (command,) = (block for block in bash_blocks(ROOT / self.PAGE) if "rollout.sh" in block)
        branch = f"template-{upstream.commits[NOW][:7]}"
        for proposed in (branch, f"{branch} was there"):
            done = run(("bash", "-ec", command), cwd=tmp_path, env=surroundings)
            assert done.returncode == 1
            told = ["by hand", "up to date", "by hand"]
            assert done.stdout.splitlines() == [
                f"{first}: {address}" for first, address in zip([proposed, *told], addresses, strict=True)
            ]

        changed = git(tmp_path / "behind.git", "diff", "--name-only", f"main..{branch}").split()
        assert set(SINCE_EARLIER) < set(changed)
        for name in ("busy.git", "current.git"):
            assert git(tmp_path / name, "branch", "--format=%(refname:short)") == "main"
