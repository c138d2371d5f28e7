"""The making and the check of the record's schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from hldctl.errors import UnfitEnvironment
from hldctl.fleet.record import members as record_members
from hldctl.fleet.record.connection import Connection, Unreachable, one_sentence, open_record
from hldctl.fleet.record.driver import psycopg
from hldctl.fleet.record.migrations import MIGRATIONS

_MIN_SERVER = 130_000
# One `fleet init` at a time; any number that nobody else uses.
_LOCK = 0x686C64


class Made(NamedTuple):
    """What `init` did."""

    migrations: int
    """How many migrations it took."""
    has_operators: bool
    """False if the role of operators is missing, and could not be made."""


def init(connection: Connection, members: str | None = None) -> Made:
    """Bring the schema up to date, and grant its rights; raise UnfitEnvironment if that is not possible.

    `members` is the role that may use the record, or PUBLIC; None for those that may already, at first PUBLIC.
    """
    if connection.info.server_version < _MIN_SERVER:
        raise UnfitEnvironment(
            f"The server is PostgreSQL {connection.info.server_version // 10_000}; a fleet needs version 13 or newer."
        )
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute("CREATE SCHEMA IF NOT EXISTS hldctl")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS hldctl.migrations"
                " (number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
            )
            applied = version(connection)
            for number, statements in enumerate(MIGRATIONS[applied:], applied + 1):
                for statement in statements:
                    connection.execute(statement)
                connection.execute("INSERT INTO hldctl.migrations (number) VALUES (%s)", (number,))
            has_operators = record_members.grant(connection, members)
    except psycopg.errors.InsufficientPrivilege as error:
        raise UnfitEnvironment(
            f"The tables cannot be made: {one_sentence(error)} Run it as the database's owner."
        ) from None
    return Made(max(0, len(MIGRATIONS) - applied), has_operators)


def version(connection: Connection) -> int:
    """Return the number of the last migration; 0 without any."""
    row = connection.execute("SELECT coalesce(max(number), 0) FROM hldctl.migrations").fetchone()
    assert row is not None
    return int(row[0])


def require_current(connection: Connection) -> None:
    """Raise Unreachable if the schema is missing, or older than this version of hldctl needs. A newer one only adds."""
    try:
        found = version(connection)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise Unreachable("The database is not a fleet's record yet; run `hldctl fleet init` as its owner.") from None
    except psycopg.errors.InsufficientPrivilege:
        raise Unreachable(
            f"The role {connection.info.user} is not a member of this fleet; the record's owner says who is, with "
            "`hldctl fleet init --members`."
        ) from None
    if found < len(MIGRATIONS):
        raise Unreachable(
            f"The record's schema has version {found}, and this hldctl needs {len(MIGRATIONS)}; run `hldctl fleet init`"
            " as the database's owner."
        )


@contextmanager
def open_current(url: str, timeout_seconds: int | None = None) -> Iterator[Connection]:
    """Open a connection to a record for the block; raise Unreachable also if its schema is not current."""
    with open_record(url, timeout_seconds) as connection:
        require_current(connection)
        yield connection
