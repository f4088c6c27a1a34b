"""Revisions that Alembic writes on SQLite: on PostgreSQL, too, they go up, down and up again, and nothing is left to do."""

import os
import re
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import Bake, Project
from postgresql import PostgreSQL
from serving import Clients, migrate, serving, wait_until
from web import sign_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="PostgreSQL's server is started as on Unix"),
]

BEFORE = '''"""The `parcels` table."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from sqlalchemy import JSON, CheckConstraint, String, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from api.models.base import Base


class Status(StrEnum):
    """Where a parcel is."""

    PACKED = "packed"
    SENT = "sent"


class Parcel(Base):
    """A parcel."""

    __tablename__ = "parcels"
    __table_args__ = (CheckConstraint("weight > 0", name="weight_is_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[Status] = mapped_column(server_default=Status.PACKED)
    size: Mapped[Literal["s", "m"]] = mapped_column(server_default="s")
    note: Mapped[str] = mapped_column(String(20), server_default="it's heavy")
    label: Mapped[str] = mapped_column(server_default="")
    weight: Mapped[int] = mapped_column(server_default="1")
    shelf: Mapped[int] = mapped_column(server_default=text("-1"))
    price: Mapped[Decimal] = mapped_column(server_default="100")
    fragile: Mapped[bool] = mapped_column(server_default=false(), index=True)
    due: Mapped[date] = mapped_column(server_default="2026-01-31")
    packed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    details: Mapped[dict[str, int]] = mapped_column(JSON, server_default="{}")
    sender: Mapped[Status | None]
'''

CHANGES = (
    ('SENT = "sent"', 'SENT = "sent"\n    RETURNED = "returned to the sender"'),
    ('Literal["s", "m"]', 'Literal["s", "m", "xxl"]'),
    ("note: Mapped[str]", "comment: Mapped[str]"),
    ("String(20)", "String(30)"),
    ("weight > 0", "weight BETWEEN 1 AND 9"),
    ("weight_is_positive", "weight_is_in_range"),
    ("price: Mapped[Decimal]", "price: Mapped[Decimal | None]"),
    ("    fragile: Mapped[bool] = mapped_column(server_default=false(), index=True)\n", ""),
    ("    sender: Mapped[Status | None]\n", "    former: Mapped[Status] = mapped_column(server_default=Status.SENT)\n"),
)

ADD_AND_READ = """
import asyncio

from sqlalchemy import select

from api.dependencies.database import Database
from api.dependencies.settings import load_settings
from api.models.parcels import Parcel, Status


async def main():
    async with Database(load_settings()) as database:
        async with database.session() as session:
            session.add(Parcel(id=2, status=Status.RETURNED))
        async with database.session(readonly=True) as session:
            for parcel in await session.scalars(select(Parcel).order_by(Parcel.id)):
                print(parcel.status.name, parcel.size, parcel.comment, parcel.former.value)


asyncio.run(main())
"""


class Models:
    """A project with the models of this page, an SQLite file and a PostgreSQL database."""

    def __init__(self, project: Project, environment: Path, file: Path, server: PostgreSQL) -> None:
        self.project = project
        self.environment = environment
        self._file = file
        self._server = server
        self._postgresql = server.create_database()
        self.urls = (f"sqlite:///{file}", self._postgresql)
        with (project.path / "api/models/__init__.py").open("a", encoding="utf-8") as models:
            models.write("from api.models.parcels import Parcel as Parcel\n")

    def write(self, text: str) -> None:
        """Replace the models."""
        (self.project.path / "api/models/parcels.py").write_text(text, encoding="utf-8")

    def alembic(self, url: str, *command: str) -> str:
        """Run Alembic, which must succeed."""
        done = self.project.run(self.environment / "alembic", *command, env={"DATABASE_URL": url})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def autogenerate(self, name: str) -> Path:
        """Write a revision on SQLite."""
        self.alembic(self.urls[0], "upgrade", "head")
        self.alembic(self.urls[0], "revision", "--autogenerate", "-m", name)
        [script] = (self.project.path / "migrations/versions").glob(f"*_{name}.py")
        return script

    def go_up_down_and_up(self) -> None:
        for url in self.urls:
            self.alembic(url, "upgrade", "head")
            self.alembic(url, "check")
            self.alembic(url, "downgrade", "-1")
            self.alembic(url, "upgrade", "head")
            self.alembic(url, "check")

    def insert(self, statement: str) -> None:
        """Insert into both databases."""
        self._server.query(statement, self._postgresql)
        connection = sqlite3.connect(self._file)
        connection.execute(statement)
        connection.commit()
        connection.close()


@pytest.fixture
def models(bake: Bake, environment: Path, tmp_path: Path, postgresql_server: PostgreSQL) -> Models:
    project = Project(shutil.copytree(bake().path, tmp_path / "copy"))
    return Models(project, environment, tmp_path / "models.db", postgresql_server)


def test_enums_defaults_checks_and_renames_go_up_down_and_up_on_both_databases(models: Models) -> None:
    models.write(BEFORE)
    models.autogenerate("parcels")
    models.go_up_down_and_up()
    models.insert("INSERT INTO parcels (id, note) VALUES (1, 'kept')")

    after = BEFORE
    for old, new in CHANGES:
        assert old in after
        after = after.replace(old, new)
    models.write(after)
    script = models.autogenerate("changes")
    rename(script, "note", "comment")
    models.go_up_down_and_up()

    expected = "PACKED s kept sent\nRETURNED s it's heavy sent\n"
    for url in models.urls:
        done = models.project.run(models.environment / "python", "-c", ADD_AND_READ, env={"DATABASE_URL": url})
        assert (done.returncode, done.stdout) == (0, expected), done.stderr
        models.alembic(url, "downgrade", "base")
        models.alembic(url, "upgrade", "head")
        models.alembic(url, "check")


ADD_A_COLUMN = '''"""Add a column that the code does not know yet."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("budgets", sa.Column("note", sa.String(20)))


def downgrade() -> None:
    op.drop_column("budgets", "note")
'''


def test_beside_a_long_reader_an_upgrade_gives_up_and_no_request_fails(
    bake: Bake, environment: Path, postgresql_server: PostgreSQL, tmp_path: Path
) -> None:
    project = Project(shutil.copytree(bake().path, tmp_path / "copy"))
    url = migrate(project, environment, postgresql_server.create_database())
    with serving(project, environment, tmp_path, {"DATABASE_URL": url}) as server:
        with Clients(server.url, sign_in(server.url), 4) as clients:
            (project.path / "migrations/versions/0002_note.py").write_text(ADD_A_COLUMN, encoding="utf-8")
            with postgresql_server.holding("SELECT count(*) FROM budgets", url):
                done = project.run(environment / "alembic", "upgrade", "head", env={"DATABASE_URL": url})
                assert done.returncode != 0
                assert "FAILED: a long transaction holds the lock of a table" in done.stdout + done.stderr
                assert "Traceback" not in done.stderr
                clients.wait_for_more()
            migrate(project, environment, url)
            clients.wait_for_more()
        assert (clients.refusals, clients.broken) == ([], [])


def test_upgrades_at_once_queue(bake: Bake, environment: Path, postgresql_server: PostgreSQL) -> None:
    url = postgresql_server.create_database()
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(6) as pool:
        with postgresql_server.holding("SELECT pg_advisory_xact_lock(hashtext('alembic'))", url):
            upgrades = [pool.submit(migrate, bake(), environment, url) for _ in range(6)]
            wait_until(lambda: postgresql_server.query(waiting) == "6", "all six wait")
        assert [upgrade.result() for upgrade in upgrades] == [url] * 6
    assert postgresql_server.query("SELECT version_num FROM alembic_version", url) == "0001"


def rename(script: Path, old: str, new: str) -> None:
    """Edit a revision by hand, since Alembic takes a new name for a new column: alter in place of add and drop."""
    text = script.read_text(encoding="utf-8")
    upgrade, downgrade = text.split("def downgrade")
    for name in (old, new):
        added = re.compile(rf' +batch_op\.add_column\(\s*sa\.Column\(\s*"{name}".*?\n(?= +batch_op)', re.DOTALL)
        upgrade, downgrade = added.sub("", upgrade), added.sub("", downgrade)
        dropped = f'        batch_op.drop_column("{name}")\n'
        other = new if name == old else old
        altered = f'        batch_op.alter_column("{name}", new_column_name="{other}", type_=sa.String(length=30))\n'
        upgrade, downgrade = upgrade.replace(dropped, altered), downgrade.replace(dropped, altered)
    script.write_text(f"{upgrade}def downgrade{downgrade}", encoding="utf-8")


def test_an_enum_that_a_downgrade_would_leave_behind_on_postgresql_is_refused(models: Models) -> None:
    models.write(BEFORE.replace("mapped_column(server_default=Status.PACKED)", "mapped_column(Enum(Status))"))
    models.write(models.project.text("api/models/parcels.py").replace("import JSON,", "import JSON, Enum,"))
    models.alembic(models.urls[0], "upgrade", "head")
    revision = (models.environment / "alembic", "revision", "--autogenerate", "-m", "parcels")
    done = models.project.run(*revision, env={"DATABASE_URL": models.urls[0]})
    assert done.returncode != 0
    message = "FAILED: Enum('PACKED', 'SENT', name='status'): annotate the column with Mapped[...] alone"
    assert message in done.stdout + done.stderr
