"""Packages from a team's own index, or from a folder without any network."""

import ensurepip
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT, TEMPLATE, Generate, Project, copy_template, path_with_uv, run
from engine import docker, needs_engine
from index import OPENSSL, PASSWORD, Index, locked, private_index, write_wheel
from test_project import bash_blocks, block_with

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell"),
]
needs_openssl = pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")

# Nothing answers there.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with a single package, which is on no other index."""
    template = copy_template(tmp_path_factory.mktemp("small"))
    project = template / TEMPLATE.name
    lock = locked(write_wheel(template, "private-package", "private_package"))
    pyproject = (project / "pyproject.toml").read_text(encoding="utf-8")
    asking = re.sub(
        r"^dependencies = \[\n.*?^\]",
        'dependencies = ["private-package"]',
        pyproject,
        count=1,
        flags=re.MULTILINE | re.DOTALL,
    )
    (project / "pyproject.toml").write_text(asking, encoding="utf-8")
    for name in ("requirements.txt", "requirements-dev.txt"):
        (project / name).write_text(lock, encoding="utf-8")
    (project / "api/main.py").write_text("import private_package\n", encoding="utf-8")
    return template


@pytest.fixture
def index(small: Path, tmp_path: Path) -> Iterator[Index]:
    """An index that has the package, and what a new virtual environment begins with."""
    bundled = {path.name.split("-")[0]: path for path in (Path(ensurepip.__file__).parent / "_bundled").glob("*.whl")}
    (tmp_path / "index").mkdir()
    for name in {"pip", "setuptools", "wheel"} - set(bundled):
        bundled[name] = write_wheel(tmp_path / "index", name, name)
    (wheel,) = small.glob("*.whl")
    with private_index({"private-package": wheel, **bundled}, tmp_path / "index") as index:
        yield index


def surroundings(index: Index) -> dict[str, str]:
    """What leads to the index, as the page for teams says, and nothing else."""
    elsewhere = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "SSL_CERT_DIR")
    bundles = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return {
        **dict.fromkeys((*elsewhere, *bundles), ""),
        "PIP_INDEX_URL": index.url,
        "PIP_CERT": str(index.authority),
        "UV_DEFAULT_INDEX": index.url,
        "SSL_CERT_FILE": str(index.authority),
        "HTTPS_PROXY": index.proxy,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "UV_NO_CACHE": "1",
        "UV_NO_CONFIG": "1",
    }


@needs_openssl
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_the_hook_installs_from_a_private_index(
    generate: Generate, small: Path, index: Index, tmp_path: Path, installer: str
) -> None:
    path = path_with_uv() if installer == "uv" else os.environ["PATH"]
    env = {"PATH": path, "BACKEND_SKIP_SETUP": "", "BACKEND_STRICT": "1"}
    done = generate("check_docker=no", template=small, env=surroundings(index) | env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"venv: installing requirements-dev.txt with {installer} ...\n" in done.stdout
    assert "  venv     ok (" in done.stdout
    assert "private_package-1.0-py3-none-any.whl" in index.served
    assert index.connections
    assert PASSWORD not in done.stdout + done.stderr
    project = Project(tmp_path / "budget-api")
    assert [name for name in project.files() if PASSWORD.encode() in (project.path / name).read_bytes()] == []


@pytest.mark.docker
@needs_engine
@needs_openssl
@pytest.mark.parametrize("command", ["make image", "docker compose build", "docker build --secret"])
def test_an_image_is_built_from_a_private_index_and_keeps_no_way_to_it(
    generate: Generate, small: Path, index: Index, tmp_path: Path, command: str
) -> None:
    assert generate("project_slug=private-index", "create_venv=no", "check_docker=no", template=small).returncode == 0
    project = Project(tmp_path / "private-index")
    # The index listens on this machine alone.
    here = {
        "Makefile": ("docker build ", "docker build --network host --no-cache "),
        "compose.yaml": ("      context: .\n", "      context: .\n      network: host\n      no_cache: true\n"),
    }
    for name, (old, new) in here.items():
        assert old in project.text(name)
        (project.path / name).write_text(project.text(name).replace(old, new), encoding="utf-8")
    if command == "docker build --secret":
        command = (
            block_with(command).replace("build ", "build --network host --no-cache ").replace("shop", "private-index")
        )
    try:
        done = project.run("bash", "-ec", command, env=surroundings(index))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "private_package-1.0-py3-none-any.whl" in index.served
        assert index.connections
        docker("save", "--output", tmp_path / "image.tar", "private-index")
        kept = docker("history", "--no-trunc", "private-index") + docker("inspect", "private-index")
        assert PASSWORD not in kept + done.stdout + done.stderr
        image = (tmp_path / "image.tar").read_bytes()
        assert b"private_package-1.0.dist-info" in image
        for trace in (PASSWORD.encode(), index.proxy.encode(), index.authority.read_bytes()):
            assert trace not in image
    finally:
        run(("docker", "image", "rm", "--force", "private-index"), cwd=tmp_path)


def without_network(wheels: Path) -> dict[str, str]:
    """What the page for teams says to set, where no proxy and no index answers."""
    settings = dict(re.findall(r"([A-Z_]+)=(\S+)", block_with("UV_OFFLINE").replace("$PWD/wheels", str(wheels))))
    assert len(settings) == 5
    empty = dict.fromkeys(("PIP_EXTRA_INDEX_URL", "UV_INDEX_URL"), "")
    caches = {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    return {**empty, **caches, "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, **settings}


def test_a_project_is_made_without_a_network(generate: Generate, environment: Path, tmp_path: Path) -> None:
    (tmp_path / "venv").symlink_to(environment.parent)
    for lock in TEMPLATE.glob("requirements*.txt"):
        shutil.copy(lock, tmp_path)
    gathered = run(("bash", "-ec", block_with("pip download")), cwd=tmp_path)
    assert gathered.returncode == 0, gathered.stdout + gathered.stderr
    env = {"PATH": path_with_uv(), "BACKEND_SKIP_SETUP": "", "BACKEND_STRICT": "1"}
    version = f"python_version=3.{sys.version_info.minor}"
    done = generate("check_docker=no", version, env=without_network(tmp_path / "wheels") | env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  venv     ok (" in done.stdout


def test_pip_needs_no_network_either(generate: Generate, small: Path, tmp_path: Path) -> None:
    assert generate("create_venv=no", "check_docker=no", template=small).returncode == 0
    project = Project(tmp_path / "budget-api")
    (project.path / "wheels").symlink_to(small)
    done = project.run("bash", "-ec", block_with("UV_OFFLINE"), env=without_network(small))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uv = " not in project.text("venv/pyvenv.cfg")
    assert project.run("venv/bin/python", "-B", "-c", "import api.main").returncode == 0


@pytest.mark.slow
def test_a_limit_of_age_is_lifted_as_the_page_for_teams_says(copy: Project, tmp_path: Path) -> None:
    (lift,) = re.findall(r"`(export UV_EXCLUDE_NEWER=.*?)`", (ROOT / "docs/teams.md").read_text(encoding="utf-8"))
    (tmp_path / "uv.toml").write_text('exclude-newer = "2020-01-01T00:00:00Z"\n', encoding="utf-8")
    env = {"UV_CONFIG_FILE": str(tmp_path / "uv.toml")}
    assert "No solution found" in copy.run("make", "lock", env=env).stderr
    lifted = copy.run("bash", "-ec", f"{lift}\nmake lock", env=env)
    assert lifted.returncode == 0, lifted.stderr


def test_every_command_of_the_page_for_teams_is_run_by_a_test() -> None:
    run_by_tests = ["cookiecutter team:", "docker build --secret", "pip download", "UV_OFFLINE"]
    run_by_tests += ["cookiecutter gh:", "cruft update", "git merge", "finish.py", "rollout.sh", "repo-review"]
    assert re.findall(r"^```$(?=\n.)", (ROOT / "docs/teams.md").read_text(encoding="utf-8"), re.MULTILINE) == []
    assert [block_with(words) for words in run_by_tests] == bash_blocks(ROOT / "docs/teams.md")
