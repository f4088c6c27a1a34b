"""Databases as providers offer them: TLS, client certificates, several hosts, and PgBouncer in transaction mode."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import Bake, Project
from postgresql import PROGRAMS, PostgreSQL
from serving import Clients, at_once, migrate, serving
from web import ask, free_port, sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("openssl"), reason="openssl, which makes the certificates, is not installed"),
]

ACCESS = """
hostssl all certified 127.0.0.1/32 cert
hostssl all password 127.0.0.1/32 scram-sha-256
host all tester 127.0.0.1/32 trust
"""

PROBE = """
import asyncio, json, sys, traceback

from sqlalchemy import text

from api.dependencies.database import Database
from api.dependencies.settings import Settings

STATE = text('''
    SELECT pg_stat_ssl.ssl AS ssl, pg_stat_ssl.client_dn AS certificate, application_name,
        current_setting('work_mem') AS work_mem, current_setting('statement_timeout') AS statement_timeout
    FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = pg_backend_pid()
''')


async def probe(url):
    try:
        async with Database(Settings(database_url=url)) as database, database.session(readonly=True) as session:
            return dict((await session.execute(STATE)).one()._mapping)
    except Exception:
        return {"error": traceback.format_exc()}


async def main():
    print(json.dumps([await probe(url) for url in json.load(sys.stdin)]))


asyncio.run(main())
"""


class CloudPostgreSQL(PostgreSQL):
    """A server with TLS, whose certificate an authority of its own has signed; `folder` holds the certificates."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def start(self) -> None:
        """Make the certificates, allow users in three ways, and serve."""
        self.folder.mkdir()
        authority = ("-x509", "-subj", "/CN=authority", "-out", "ca.pem", "-keyout", "ca.key")
        self._openssl("req", *authority)
        self._openssl("req", *authority[:4], "other.pem", "-keyout", "other.key")
        self._sign("server", "localhost", "-addext", "subjectAltName=DNS:localhost")
        self._sign("client", "certified")
        data = self._folder / "data"
        for name in ("ca.pem", "server.pem", "server.key"):
            shutil.copy(self.folder / name, data)
            (data / name).chmod(0o600)
            if self._user:
                shutil.chown(data / name, self._user)
        (data / "pg_hba.conf").write_text(ACCESS, encoding="utf-8")
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("ssl = on\nssl_ca_file = 'ca.pem'\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n")
        super().start()
        self.query("CREATE ROLE password LOGIN SUPERUSER PASSWORD 'p@ss/word'; CREATE ROLE certified LOGIN SUPERUSER")

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments, "-newkey", "rsa:2048", "-noenc", "-days", "2"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def _sign(self, name: str, subject: str, *extensions: str) -> None:
        signed_by = ("-x509", "-CA", "ca.pem", "-CAkey", "ca.key")
        self._openssl(
            "req", *signed_by, "-subj", f"/CN={subject}", *extensions, "-out", f"{name}.pem", "-keyout", f"{name}.key"
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudPostgreSQL]:
    with CloudPostgreSQL(tmp_path_factory.mktemp("cloud") / "certificates") as server:
        yield server


def probe(project: Project, environment: Path, *urls: str, **variables: str) -> list[dict[str, Any]]:
    """Connect to each URL; return what the server reports about the connection, or the error."""
    done = subprocess.run(
        [environment / "python", "-c", PROBE],
        cwd=project.path,
        env=os.environ | variables,
        input=json.dumps(urls),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_parameters_of_libpq_mean_what_they_mean_to_libpq(
    bake: Bake, environment: Path, server: CloudPostgreSQL
) -> None:
    authority, other = f"sslrootcert={server.folder}/ca.pem", f"sslrootcert={server.folder}/other.pem"
    address = server.url.partition("@")[2]
    plain = f"postgresql://tester@{address}/postgres"
    password = f"postgresql://password:p%40ss%2Fword@{address}/postgres"
    by_name = password.replace("127.0.0.1", "localhost")
    certified = f"postgresql://certified@{address}/postgres?sslcert={server.folder}/client.pem&sslkey={server.folder}/client.key"
    closed = f"127.0.0.1:{free_port()}"
    works: dict[str, dict[str, object]] = {
        f"{plain}?sslmode=disable&gssencmode=prefer&channel_binding=prefer": {"ssl": False},
        plain: {"ssl": True},
        f"{password}?sslmode=require": {"ssl": True},
        f"{password}?sslmode=verify-ca&{authority}": {"ssl": True},
        f"{by_name}?sslmode=verify-full&{authority}": {"ssl": True},
        f"{by_name}?sslmode=require&channel_binding=require&{authority}": {"ssl": True},
        f"{certified}&sslmode=require": {"certificate": "/CN=certified"},
        f"{plain}?application_name=shop&options=-cwork_mem%3D5MB%20-cgeqo%3Doff&connect_timeout=10&client_encoding=utf8": {
            "application_name": "shop",
            "work_mem": "5MB",
            "statement_timeout": "5s",
        },
        plain.replace(address, f"{closed},{address}") + "?target_session_attrs=read-write": {"ssl": True},
        f"{plain}?schema=public&pgbouncer=true": {"statement_timeout": "0"},
    }
    found = probe(bake(), environment, *works)
    for (url, expected), state in zip(works.items(), found, strict=True):
        assert expected.items() <= state.items(), (url, state)

    refused = {
        f"{password}?sslmode=disable": "no pg_hba.conf entry",
        f"{password}?sslmode=require&{other}": "CERTIFICATE_VERIFY_FAILED",
        f"{password}?sslmode=verify-full&{authority}": "CERTIFICATE_VERIFY_FAILED",  # the address is not in it
        f"{by_name}?sslmode=verify-full": "CERTIFICATE_VERIFY_FAILED",
        f"{by_name}?sslmode=verify-full&sslrootcert=system": "CERTIFICATE_VERIFY_FAILED",
        f"{by_name}?sslmode=require&channel_binding=require": "CERTIFICATE_VERIFY_FAILED",
        plain.replace(address, f"{address},{closed}") + "?target_session_attrs=standby": "DatabaseUnavailableError",
    }
    for (url, reason), state in zip(refused.items(), probe(bake(), environment, *refused), strict=True):
        assert reason in state.get("error", ""), (url, state)


def test_the_authority_of_the_system_is_trusted(bake: Bake, environment: Path, server: CloudPostgreSQL) -> None:
    url = f"{server.url}/postgres?sslmode=require&channel_binding=require".replace("127.0.0.1", "localhost")
    [state] = probe(bake(), environment, url, SSL_CERT_FILE=str(server.folder / "ca.pem"))
    assert state.get("ssl") is True, state


def test_alembic_and_the_server_take_the_url_of_a_provider(
    bake: Bake, environment: Path, server: CloudPostgreSQL, tmp_path: Path
) -> None:
    name = server.create_database().rpartition("/")[2]
    address = server.url.partition("@")[2].replace("127.0.0.1", "localhost")
    url = (
        f"postgresql://password:p%40ss%2Fword@{address}/{name}?sslmode=verify-full&sslrootcert={server.folder}/ca.pem"
        "&channel_binding=require&application_name=shop&connect_timeout=10"
    )
    project = bake()
    migrate(project, environment, url)
    with serving(project, environment, tmp_path, {"DATABASE_URL": url}) as served:
        assert ask("GET", f"{served.url}/readyz").status == 200
        assert sign_in(served.url)


@contextmanager
def pgbouncer(server: PostgreSQL) -> Iterator[str]:
    """Run PgBouncer in transaction mode with two connections to the server; give its address."""
    program = shutil.which("pgbouncer")
    if not program:
        pytest.skip("pgbouncer is not installed")
    port = free_port()
    [server_port] = re.findall(r":(\d+)$", server.url)
    configuration = (
        f"[databases]\n* = host=127.0.0.1 port={server_port} user=tester\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
    )
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(configuration)
        file.flush()
        Path(file.name).chmod(0o644)
        with subprocess.Popen([program, "-q", file.name], user=user, stderr=subprocess.DEVNULL) as process:
            try:
                address = f"127.0.0.1:{port}"
                wait_for_postgresql(f"postgresql://tester@{address}/postgres")
                yield address
            finally:
                process.terminate()


def wait_for_postgresql(url: str) -> None:
    deadline = time.monotonic() + 10
    while subprocess.run([PROGRAMS[-1] / "psql", url, "-c", "SELECT 1"], capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_pgbouncer_in_transaction_mode_serves_more_connections_than_it_has(
    bake: Bake, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    project = bake()
    with pgbouncer(postgresql_server) as address:
        name = postgresql_server.create_database().rpartition("/")[2]
        url = migrate(project, environment, f"postgresql://tester@{address}/{name}?pgbouncer=true")
        settings = {"DATABASE_URL": url, "WEB_CONCURRENCY": "2"}
        with serving(project, environment, tmp_path, settings) as server:
            token = sign_in(server.url)
            with Clients(server.url, token) as clients:
                clients.wait_for_more(100)
                pages = at_once([lambda: ask("GET", f"{server.url}/v1/budgets", token=token)] * 40)
                clients.wait_for_more(100)
    assert (clients.broken, clients.refusals) == ([], [])
    assert {page.status for page in pages} == {200}
