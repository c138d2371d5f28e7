"""The schema that this version's migrations make, to compare a database with."""

from __future__ import annotations

from itertools import chain
from typing import Any

import apsw

from hldctl.store.migrations import migrations_from

_OBJECTS = (
    "SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_%'"
)

_INDEXES = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'"


def reference() -> apsw.Connection:
    """Return a connection to an empty database in memory that has the schema."""
    connection = apsw.Connection(":memory:")
    for statement in chain.from_iterable(migrations_from(0)):
        connection.execute(statement)
    return connection


def differences(connection: apsw.Connection) -> list[str]:
    """Say which tables and indexes are missing or have other columns; what else is there is left out."""
    expected = reference()
    try:
        wanted, found = _shapes(expected), _shapes(connection)
    finally:
        expected.close()
    return [f"{' '.join(key)} is missing or different" for key in wanted if wanted[key] != found.get(key)]


def _shapes(connection: apsw.Connection) -> dict[tuple[str, str], Any]:
    found = {}
    for kind, name, table in connection.execute(_OBJECTS).fetchall():
        pragma = f"PRAGMA {kind}_info('{str(name).replace(chr(39), chr(39) * 2)}')"
        found[str(kind), str(name)] = (table, connection.execute(pragma).fetchall())
    return found


def index_problems(connection: apsw.Connection) -> list[str]:
    """Say which indexes do not have what their tables have; may raise apsw.CorruptError for one that is none.

    `PRAGMA integrity_check` of SQLite 3.54 does not see entries too many in a partial index, nor a first page that is
    none if the index has no entries.
    """
    expected = reference()
    try:
        indexes = expected.execute(_INDEXES).fetchall()
    finally:
        expected.close()
    found = []
    for name, table, sql in indexes:
        condition = str(sql or "").partition(" WHERE ")[2]
        if not condition:
            connection.execute(f"SELECT 1 FROM {table} INDEXED BY {name} LIMIT 1").fetchall()
            continue
        counts = {
            connection.execute(f"SELECT count(*) FROM {table} {how} WHERE {condition}").fetchall()[0]
            for how in (f"INDEXED BY {name}", "NOT INDEXED")
        }
        if len(counts) > 1:
            found.append(f"wrong number of entries in index {name}")
    return found
