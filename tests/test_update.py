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
from test_project import block_with, readme_blocks, remove_the_example
from test_secrets import secrets_of

ADDRESS = "https://git.example.com/team/cookiecutter-backend.git"
RECORD = ".cruft.json"
WAYS = ("cookiecutter", "cruft")
ADA = {f"GIT_{role}_{part}": "ada" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}

EARLIER = "earlier"
NOW = "now"

# How a release may have looked that is older than this one, and where: what is written now, and what was written then.
SINCE_EARLIER = {
    "Makefile": {"/uvicorn api.main:app --reload --reload-dir api --port 8000": "/uvicorn api.main:app --reload"},
    "README.md": {"\n## Docker\n": "\n## Image\n", "\n## Test\n": "\n## Tests\n"},
    "api/dependencies/settings.py": {
        "database_pool_size: int = Field(default=20,": "database_pool_size: int = Field(20,"
    },
    "api/main.py": {
        "    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)\n": "",
        "import BodyLimitMiddleware\n": "import BodyLimitMiddleware as BodyLimitMiddleware\n",
    },
    "compose.yaml": {"      retries: 60\n": "      retries: 30\n"},
    "pyproject.toml": {'"sqlalchemy[asyncio]>=': '"sqlalchemy[asyncio]>1,>='},
    "requirements.txt": {"\nsqlalchemy==": "\nsqlalchemy==1."},
    "requirements-dev.txt": {"\nsqlalchemy==": "\nsqlalchemy==1."},
}
RENAMED_SINCE = {"tests/test_pagination.py": "tests/test_pages.py"}

# What a team adds.
OWN_FILES = {
    "api/schemas/colours.py": '''"""Colours."""

from api.schemas.base import ResponseBody


class ColourRead(ResponseBody):
    """A colour."""

    name: str
''',
    "api/routers/colours.py": '''"""Colours over HTTP."""

from fastapi import APIRouter

from api.schemas.colours import ColourRead

router = APIRouter(prefix="/v1/colours", tags=["colours"])


@router.get("/favourite")
async def read_favourite() -> ColourRead:
    """The best one."""
    return ColourRead(name="green")
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
    "compose.yaml": {"127.0.0.1:8000": "127.0.0.1:8080"},
    "README.md": {"# Budget API\n": "# Our colours\n\nAsk Ada before you change anything.\n"},
}


def edit(folder: Path, changes: Mapping[str, Mapping[str, str]]) -> None:
    """Replace parts of files, which must be there."""
    for name, parts in changes.items():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in parts.items():
            assert old in text, old
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def released() -> list[str]:
    """Name every release of this repository; an archive or a shallow clone has none."""
    return run(("git", "tag", "--list", "v*"), cwd=ROOT).stdout.split()


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
    url = f'[url "{folder.as_uri()}/"]\n\tinsteadOf = https://git.example.com/\n'
    config.write_text(f"{url}[user]\n\tname = Ada\n\temail = ada@example.com\n", encoding="utf-8")
    git(folder, *(("clone", str(ROOT)) if (ROOT / ".git").exists() else ("init",)), "--quiet", str(repository))
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
    return lambda **answers: upstream.make("cookiecutter", tmp_path_factory.mktemp("fresh"), **answers)


def record(project: Project) -> dict[str, object]:
    """Cruft's record of a project."""
    content: dict[str, object] = json.loads(project.text(RECORD))
    return content


class TestRecord:
    """`.cruft.json`, by which cruft finds the template."""

    @pytest.mark.parametrize("way", WAYS)
    def test_a_new_project_is_up_to_date(self, upstream: Upstream, tmp_path: Path, way: str) -> None:
        project = upstream.make(way, tmp_path, project_name="Café 🍪", project_slug="cafe")
        for command in (("check",), ("diff", "--exit-code")):
            done = upstream.cruft(project, *command)
            assert done.returncode == 0, done.stdout + done.stderr
        assert git(project.path, "status", "--porcelain") == ""
        for word in (*secrets_of(project), str(tmp_path), str(upstream.repository), str(Path.home())):
            assert word not in project.text(RECORD)

    def test_the_hook_records_what_cruft_does_for_any_locale(self, upstream: Upstream, tmp_path: Path) -> None:
        answers: dict[str, Answer] = {"project_name": "Café", "description": "日本 🍪", "project_slug": "cafe"}
        one, other = (upstream.make(way, tmp_path / way, auth=False, **answers) for way in WAYS)
        assert record(one) == record(other)
        assert record(one)["template"] == ADDRESS
        assert record(one)["checkout"] == record(one)["commit"] == upstream.commits[NOW]
        assert one.text(RECORD).isascii()
        done = one.run(tool("cruft"), "check", env={**upstream.env, "LC_ALL": "C", "PYTHONUTF8": "0"})
        assert done.returncode == 0, done.stderr

    @pytest.fixture
    def checkout(self, upstream: Upstream, tmp_path: Path) -> Path:
        """Clone the template, as its developers do."""
        git(tmp_path, "clone", "--quiet", ADDRESS, "checkout", env=upstream.env)
        return tmp_path / "checkout"

    def test_a_clean_checkout_is_recorded_under_its_address(
        self, upstream: Upstream, generate: Generate, checkout: Path, tmp_path: Path
    ) -> None:
        (checkout / "new").touch()  # cookiecutter does not read it
        for name, url in {"plain": ADDRESS, "token": ADDRESS.replace("https://", "https://ada:token@")}.items():
            git(checkout, "remote", "set-url", "origin", url)
            done = generate("-o", str(tmp_path / name), template=checkout)
            assert "  updates  ok (cruft can update the project)\n" in done.stdout
            project = Project(tmp_path / name / "budget-api")
            assert record(project)["template"] == ADDRESS
            assert "token" not in project.text(RECORD)
            assert upstream.cruft(project, "check").returncode == 0

    def test_a_folder_is_recorded(self, upstream: Upstream, generate: Generate, tmp_path: Path) -> None:
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
        ("change", "result"),
        [
            ("true", "ok (cruft can update the project)"),
            ("git config --unset remote.origin.url", "skipped: the template's repository has no remote `origin` with"),
            ("git remote set-url origin /srv/x", "skipped: the template's repository has no remote `origin` with an"),
            ("git remote set-url origin file:///x", "skipped: the template's repository has no remote `origin` with"),
            ("touch hooks/new.py", "skipped: the template has changes that are not committed"),
            ("rm hooks/pre_gen_project.py", "skipped: the template has changes that are not committed"),
            ("git commit --allow-empty -m x", "skipped: the template's commit is not pushed"),
            ("rm -rf .git", "skipped: the template is in no git repository, or git is missing"),
        ],
    )
    def test_an_older_record_is_renewed_or_removed_where_others_would_not_find_the_template(
        self, generate: Generate, checkout: Path, tmp_path: Path, change: str, result: str
    ) -> None:
        project = Project(tmp_path / "budget-api")
        project.path.mkdir()
        (project.path / RECORD).write_text("older", encoding="utf-8")
        git(project.path, "init", "--quiet")
        commit(project.path, "Begin")
        done = run(("bash", "-c", change), cwd=checkout, env=ADA)
        assert done.returncode == 0, done.stderr
        assert f"  updates  {result}" in generate("-f", template=checkout).stdout
        assert project.has(RECORD) is result.startswith("ok")
        assert not project.has(RECORD) or record(project)["template"] == ADDRESS


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


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("way", WAYS)
def test_a_project_that_nobody_touched_becomes_a_fresh_one(
    upstream: Upstream, fresh: Callable[..., Project], tmp_path: Path, release: str, way: str
) -> None:
    project = upstream.make(way, tmp_path, release)
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


@pytest.mark.skipif(os.name == "nt", reason="there is no make")
class TestMake:
    """`make update`, as the README shows it."""

    @pytest.fixture
    def edited(self, upstream: Upstream, environment: Path, tmp_path: Path) -> Callable[..., Project]:
        """Make a project of an earlier release, with packages installed, and commit changes of its files."""

        def edited(release: str = EARLIER, changes: Mapping[str, Mapping[str, str]] | None = None) -> Project:
            project = upstream.make("cruft", tmp_path, release)
            install(project, environment)
            edit(project.path, changes or {})
            commit(project.path, "Edit")
            return project

        return edited

    @pytest.mark.slow
    @pytest.mark.parametrize("release", RELEASES)
    def test_a_project_that_people_work_on_is_updated_on_a_branch_and_its_checks_pass(
        self, upstream: Upstream, edited: Callable[..., Project], release: str
    ) -> None:
        project = edited(release)
        work_on(project)
        (follow,) = (block for block in readme_blocks(Project(TEMPLATE)) if "make update" in block)
        done = project.run("bash", "-ec", follow, env=upstream.env)
        assert done.returncode == 0, done.stdout + done.stderr

        assert re.fullmatch(r"template-\d{4}-\d\d-\d\d", git(project.path, "branch", "--show-current"))
        assert git(project.path, "log", "--format=%s", "-2") == "Update from the template\nAdd colours, and a motto"
        assert set(OWN_FILES) <= set(project.files())
        assert not project.has("api/services/budgets.py")
        for name, lines in OWN_LINES.items():
            assert all(line in project.text(name) for line in lines.values()), name
        for name, lines in SINCE_EARLIER.items():
            assert all(line in project.text(name) for line in lines), name
        assert not [name for name in RENAMED_SINCE.values() if project.has(name)]
        for words in ("mypy", " passed"):
            assert words in done.stdout
        again = project.run("make", "update", "dry_run=yes", env=upstream.env)
        assert (again.returncode, again.stdout) == (0, "")

    def test_a_dry_run_shows_the_changes_and_makes_none(
        self, upstream: Upstream, edited: Callable[..., Project]
    ) -> None:
        project = edited()
        done = project.run("make", "update", "dry_run=yes", env=upstream.env)
        assert done.returncode == 0, done.stderr
        assert "-      retries: 30\n+      retries: 60\n" in done.stdout
        assert f'+  "commit": "{upstream.commits[NOW]}",\n' in done.stdout
        assert "Good work" not in done.stdout
        (command,) = re.findall(
            r"^make update args=.*", (TEMPLATE / "README.md").read_text(encoding="utf-8"), re.MULTILINE
        )
        done = project.run("bash", "-ec", f"{command} dry_run=yes", env=upstream.env)
        assert "+FROM python:3.14-slim AS base\n" in done.stdout, done.stderr
        assert unchanged(project)

    @pytest.mark.parametrize("kept", [True, False], ids=["in history", "in no history"])
    def test_conflicts_are_listed_by_file_and_tell_what_to_do(
        self, upstream: Upstream, edited: Callable[..., Project], *, kept: bool
    ) -> None:
        project = edited(changes={"compose.yaml": {"retries: 30": "retries: 90"}})
        if not kept:
            shutil.rmtree(project.path / ".git")
            git(project.path, "init", "--quiet")
            commit(project.path, "Begin again")
        done = project.run("make", "update", env=upstream.env)
        assert done.returncode != 0
        told = "choose between the lines <<<<<<< and >>>>>>>" if kept else "make these changes by hand"
        name = "compose.yaml" if kept else "compose.yaml.rej"
        branch = git(project.path, "branch", "--show-current")
        assert [line for line in done.stdout.splitlines() if f": {told}" in line] == [
            line for line in done.stdout.splitlines() if line.startswith(f"{name}: ")
        ]
        assert done.stdout.startswith(f"{name}: {told}")
        assert f"These files of {branch} conflict with yours. Then: git add --all, make lint test, git" in done.stdout
        assert git(project.path, "log", "--format=%s", "-1") == ("Edit" if kept else "Begin again")
        assert "retries: 60" in project.text(name)

    @pytest.mark.parametrize(
        ("before", "told"),
        [
            ("echo '#' >> Makefile", "Commit or stash first:\n M Makefile\n"),
            ("touch new", "Commit or stash first:\n?? new\n"),
            ("git rm --quiet .cruft.json && git commit --quiet --message x", "There is no .cruft.json; `venv/bin/cruf"),
            ("git branch template-$(date +%F)", "already exists"),
            ("sed -i s/example.com/example.invalid/ .cruft.json && git commit --quiet --all --message x", "invalid"),
        ],
    )
    def test_what_prevents_an_update_is_told_and_nothing_is_changed(
        self, upstream: Upstream, edited: Callable[..., Project], before: str, told: str
    ) -> None:
        project = edited()
        assert project.run("bash", "-ec", before, env=upstream.env).returncode == 0
        state = git(project.path, "status", "--branch", "--porcelain")
        done = project.run("make", "update", env=upstream.env)
        assert done.returncode != 0
        assert told in done.stdout + done.stderr
        assert git(project.path, "status", "--branch", "--porcelain") == state

    def test_without_a_change_no_branch_is_left(self, upstream: Upstream, edited: Callable[..., Project]) -> None:
        project = edited(NOW)
        done = project.run("make", "update", env=upstream.env)
        assert (done.returncode, done.stdout) == (0, "The template has not changed.\n")
        assert unchanged(project)


def install(project: Project, environment: Path) -> None:
    """Give a project programs that make takes for those of its locks, and that git ignores."""
    (project.path / "venv").mkdir()
    (project.path / "venv" / environment.name).symlink_to(environment)
    (project.path / "venv/.installed").touch()
    os.utime(project.path / "venv/.installed", (2**32, 2**32))


def unchanged(project: Project) -> bool:
    """Whether a project is clean, with one branch and one worktree."""
    texts = ("status", "--porcelain"), ("branch", "--format=%(refname:short)"), ("worktree", "prune", "--dry-run")
    worktrees = git(project.path, "worktree", "list").splitlines()
    return [git(project.path, *each) for each in texts] == ["", "main", ""] and len(worktrees) == 1


def work_on(project: Project) -> None:
    """Make the first changes to a new project, commit by commit."""
    remove_the_example(project)
    commit(project.path, "Remove the example")
    for name, text in OWN_FILES.items():
        (project.path / name).write_text(text, encoding="utf-8")
    edit(project.path, OWN_LINES)
    commit(project.path, "Add colours, and a motto")


@pytest.mark.slow
def test_options_are_switched_later(upstream: Upstream, fresh: Callable[..., Project], tmp_path: Path) -> None:
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
        (config,) = re.findall(r"^```yaml\n(default_context:.*?)^```", page, re.MULTILINE | re.DOTALL)
        (tmp_path / "team.yaml").write_text(config, encoding="utf-8")
        command = block_with("cookiecutter team:")
        env = {**surroundings, "COOKIECUTTER_CONFIG": str(tmp_path / "team.yaml")}
        done = run(("bash", "-ec", command), cwd=tmp_path, env=env, typed="\n" * 20)
        assert done.returncode == 0, done.stdout + done.stderr
        project = Project(tmp_path / "shop")
        assert project.text("Dockerfile").startswith("FROM registry.example.com/mirror/python:3.12-slim AS base\n")
        assert '  image: "registry.example.com/mirror/python:3.12-slim"\n' in project.text(".gitlab-ci.yml")
        assert project.has("api/dependencies/telemetry.py")
        assert record(project)["template"] == ADDRESS
        assert upstream.cruft(project, "diff", "--exit-code").stdout == ""

    def test_an_update_is_proposed_to_the_repositories_of_the_report_and_to_no_other_templates_projects(
        self, upstream: Upstream, surroundings: dict[str, str], tmp_path: Path
    ) -> None:
        shutil.copytree(ROOT / "docs", tmp_path / "docs")
        behind = upstream.make("cookiecutter", tmp_path / "behind", EARLIER)
        self.put(behind, tmp_path, "behind")
        edit(behind.path, {"compose.yaml": {"retries: 30": "retries: 90"}})
        commit(behind.path, "Wait longer")
        self.put(behind, tmp_path, "busy")
        current = upstream.make("cookiecutter", tmp_path / "current")
        self.put(current, tmp_path, "current")
        foreign = "https://git.example.com/team/other.git"
        for name, (old, new) in {
            "foreign": (f'"template": "{ADDRESS}"', f'"template": "{ADDRESS}", "template": "{foreign}"'),
            "hostile": ('"description": "', r'"description": "\u007b\u007b 7 * 6 }}'),
            "inside": ('"directory": null', '"directory": "/proc/self/cwd"'),
            "outside": ('"project_slug": "', '"project_slug": "../'),
            "pinned": ('  "commit": "', '  "commit": "--x'),
            "torn": ('"context"', '"content"'),
        }.items():
            git(current.path, "checkout", "--quiet", "-B", "main", "HEAD")
            edit(current.path, {RECORD: {old: new}})
            commit(current.path, name)
            self.put(current, tmp_path, name)
            git(current.path, "reset", "--quiet", "--hard", "HEAD~")
        git(current.path, "rm", "--quiet", RECORD)
        commit(current.path, "Forget the template")
        self.put(current, tmp_path, "plain")
        self.put(current, tmp_path, "vanished")
        shutil.rmtree(tmp_path / "vanished.git")

        command = block_with("rollout.sh").replace("https://github.com/OWNER/cookiecutter-backend.git", ADDRESS)
        branch = f"template-{upstream.commits[NOW][:7]}"
        for proposed in (branch, f"{branch} was there"):
            done = run(("bash", "-ec", command), cwd=tmp_path, env=surroundings)
            assert done.returncode == 1
            strange = ".cruft.json holds what no project of the template records"
            assert done.stdout.splitlines() == [
                f"{proposed}: repos/behind",
                "by hand: repos/busy: it has conflicts in compose.yaml",
                "up to date: repos/current",
                f"by hand: repos/foreign: its template is '{foreign}'",
                *(f"by hand: repos/{name}: {strange}" for name in ("hostile", "inside", "outside", "pinned")),
                "by hand: repos/plain: it has no .cruft.json",
                "by hand: repos/torn: .cruft.json can't be read",
                "by hand: repos/vanished: it can't be cloned",
            ]

        changed = git(tmp_path / "behind.git", "diff", "--name-only", f"main..{branch}").split()
        assert set(SINCE_EARLIER) < set(changed)
        for name in ("busy.git", "current.git", "foreign.git"):
            assert git(tmp_path / name, "branch", "--format=%(refname:short)") == "main"

    def test_a_project_and_a_fork_stay_with_a_release_until_they_take_the_next(
        self, upstream: Upstream, surroundings: dict[str, str], tmp_path: Path
    ) -> None:
        create, update, merge = map(block_with, ("cookiecutter gh:", "cruft update", "git merge"))
        git(tmp_path, "clone", "--quiet", str(upstream.repository), "cookiecutter-backend.git")
        for tag, release in (("v1.0.0", EARLIER), ("v1.1.0", NOW)):
            git(tmp_path / "cookiecutter-backend.git", "tag", tag, upstream.commits[release])
        config = tmp_path / "gitconfig"
        url = f'[url "{tmp_path.as_uri()}/"]\n\tinsteadOf = https://github.com/OWNER/\n'
        config.write_text(f"{url}[user]\n\tname = Ada\n\temail = ada@example.com\n", encoding="utf-8")
        env = {**surroundings, "GIT_CONFIG_GLOBAL": str(config), "HOME": str(tmp_path)}
        made = run(("bash", "-ec", create), cwd=tmp_path, env=env, typed="\n" * 20)
        assert made.returncode == 0, made.stdout + made.stderr
        project = Project(tmp_path / "budget-api")
        assert record(project)["commit"] == upstream.commits[EARLIER]
        git(project.path, "init", "--quiet")
        commit(project.path, "Begin")
        updated = run(("bash", "-ec", update), cwd=project.path, env=env)
        assert updated.returncode == 0, updated.stdout + updated.stderr
        assert record(project)["commit"] == upstream.commits[NOW]

        git(tmp_path, "clone", "--quiet", "--branch", "v1.0.0", "cookiecutter-backend.git", "fork")
        merged = run(("bash", "-ec", merge), cwd=tmp_path / "fork", env=env)
        assert merged.returncode == 0, merged.stdout + merged.stderr
        assert git(tmp_path / "fork", "rev-parse", "HEAD") == upstream.commits[NOW]

    def test_options_of_cruft_reach_each_project_of_a_roll_out(
        self, upstream: Upstream, surroundings: dict[str, str], tmp_path: Path
    ) -> None:
        earlier = upstream.make("cookiecutter", tmp_path / "earlier", EARLIER)
        git(tmp_path, "clone", "--quiet", "--bare", str(earlier.path), "OWNER/NAME.git")
        page = (ROOT / self.PAGE).read_text(encoding="utf-8")
        release, option = re.findall(r"`(?:docs/rollout\.sh repos/\* )?(-- --[^`]*)`", page)
        env = {**surroundings, "BACKEND_TEMPLATE": ADDRESS, "GIT_CONFIG_COUNT": "1"}
        env |= {"GIT_CONFIG_KEY_0": f"url.{tmp_path.as_uri()}/.insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/"}
        branch = f"template-{upstream.commits[NOW][:7]}"
        for arguments, told in {
            release.replace("v1.1.0", upstream.commits[EARLIER]): "up to date",
            option: branch,
        }.items():
            done = run(("bash", "-ec", f"{ROOT}/docs/rollout.sh gh:OWNER/NAME {arguments}"), cwd=tmp_path, env=env)
            assert done.stdout == f"{told}: gh:OWNER/NAME\n", done.stderr
        assert git(tmp_path / "OWNER/NAME.git", "cat-file", "-t", f"{branch}:api/dependencies/telemetry.py") == "blob"

    def test_a_project_of_a_portal_is_linked(
        self, upstream: Upstream, surroundings: dict[str, str], tmp_path: Path
    ) -> None:
        project = upstream.make("cookiecutter", tmp_path)
        (project.path / RECORD).unlink()
        (command,) = re.findall(r"`(cruft link .*?)`", (ROOT / self.PAGE).read_text(encoding="utf-8"))
        command = command.replace("https://github.com/OWNER/cookiecutter-backend.git", ADDRESS)
        done = run(("bash", "-ec", command), cwd=project.path, env=surroundings, typed="\n" * 20)
        assert done.returncode == 0, done.stdout + done.stderr
        assert record(project)["commit"] == upstream.commits[NOW]
        assert upstream.cruft(project, "diff", "--exit-code").stdout == ""

    def put(self, project: Project, folder: Path, name: str) -> None:
        """Publish a project, and clone it for the report."""
        git(folder, "clone", "--quiet", "--bare", str(project.path), f"{name}.git")
        git(folder, "clone", "--quiet", str(folder / f"{name}.git"), f"repos/{name}")

    def test_a_roll_out_needs_the_address_of_the_template(self, tmp_path: Path) -> None:
        done = run((ROOT / "docs/rollout.sh", "."), cwd=tmp_path, env={"BACKEND_TEMPLATE": ""})
        assert done.returncode != 0
        assert "BACKEND_TEMPLATE: must be the address of the template" in done.stderr
