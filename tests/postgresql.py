"""A PostgreSQL server of our own, which can be stopped, killed and frozen."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest

from web import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


class PostgreSQL:
    """A server that runs as an ordinary user; `url` lacks the name of a database."""

    def __init__(self) -> None:
        if not PROGRAMS:
            pytest.skip("PostgreSQL's server programs are not installed")
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        self._port = free_port()
        self.url = f"postgresql://tester@127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._run("initdb", "-A", "trust", "-U", "tester")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if (self._folder / "data/postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Serve; after a kill it is refused while a process of before still has the memory that they shared."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300"
        start = ("pg_ctl", "-w", "-s", "-o", options, "-l", self._folder / "log", "start")
        for _ in range(50):
            with suppress(subprocess.CalledProcessError):
                return self._run(*start)
            time.sleep(0.2)
        return self._run(*start)

    def stop(self) -> None:
        """Break off whatever is going on."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process: SIGKILL ends them at once, SIGSTOP leaves the network without an answer."""
        [main, *_] = (self._folder / "data/postmaster.pid").read_text(encoding="ascii").split()
        for process in (int(main), *children(int(main))):
            os.kill(process, number)

    def create_database(self) -> str:
        """Make an empty database; give its URL."""
        name = f"test_{secrets.token_hex(4)}"
        self.query(f"CREATE DATABASE {name}")
        return f"{self.url}/{name}"

    def query(self, statement: str, url: str = "") -> str:
        """Run a statement in a database, by default the server's own; give what it prints."""
        command = [str(PROGRAMS[-1] / "psql"), url or f"{self.url}/postgres", "-XAtc", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    @contextmanager
    def holding(self, statement: str, url: str) -> Iterator[None]:
        """Run a statement in a transaction that stays open, and keeps its locks."""
        command = [str(PROGRAMS[-1] / "psql"), url, "-XAt"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            assert session.stdin
            assert session.stdout
            session.stdin.write(f"BEGIN;\n{statement};\n\\echo held\n")
            session.stdin.flush()
            while session.stdout.readline() != "held\n":
                assert session.poll() is None
            try:
                yield
            finally:
                session.stdin.close()

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [PROGRAMS[-1] / program, "-D", self._folder / "data", *arguments]
        subprocess.run(command, user=self._user, cwd=self._folder, check=True, stdout=subprocess.DEVNULL)
