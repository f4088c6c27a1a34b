"""The declarative base of all models, and column types that work alike on every database."""

import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, MetaData, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class MoneyColumn(TypeDecorator[Decimal]):
    """An exact amount with at most two decimal places, else a `ValueError`; it is stored as an integer number of cents."""

    impl = BigInteger
    cache_ok = True
    places: ClassVar = 2

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        if value is not None and value.scaleb(self.places) % 1:
            message = f"{value} has more than {self.places} decimal places"
            raise ValueError(message)
        return None if value is None else int(value.scaleb(self.places))

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-self.places)


class UtcDateTime(TypeDecorator[datetime]):
    """A `datetime` in UTC; one without a time zone is a `ValueError`. SQLite, which has no time zones, stores it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            message = f"{value} has no time zone"
            raise ValueError(message)
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


EnumColumn = Enum(
    enum.Enum, native_enum=False, length=50, values_callable=lambda members: [member.value for member in members]
)
"""The value of a member of any enumeration, as a string: a new member needs no migration."""


class Base(DeclarativeBase):
    """The base class of all models.

    Constraints without a name get one by this convention, so that migrations and services can refer to them.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {Decimal: MoneyColumn, datetime: UtcDateTime, enum.Enum: EnumColumn}


def violated_constraint(error: IntegrityError) -> str:
    """Return the name of the violated constraint or unique index; that of NOT NULL is "".

    SQLite reports the names of CHECK constraints and of indexes on expressions, of a foreign key no more than that, and
    the columns of others, whose name is looked up in the models.
    """
    name: str | None = getattr(error.driver_exception, "constraint_name", None)
    kind, _, subject = str(error.orig).partition(" constraint failed")
    subject = subject.removeprefix(": ")
    if name or kind != "UNIQUE":
        return name or {"CHECK": subject, "FOREIGN KEY": kind}.get(kind, "")
    table = Base.metadata.tables.get(subject.partition(".")[0])
    if table is None:
        return subject.removeprefix("index ").strip("'")
    unique = [rule for rule in table.constraints if isinstance(rule, PrimaryKeyConstraint | UniqueConstraint)]
    names = {frozenset(map(str, rule.columns)): str(rule.name) for rule in unique}
    names |= {frozenset(map(str, index.columns)): str(index.name) for index in table.indexes if index.unique}
    return names.get(frozenset(subject.split(", ")), "")
