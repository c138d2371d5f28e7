"""Comparison of a database with the schema of this version's migrations."""

from __future__ import annotations

from itertools import chain
from typing import Any

import apsw

from hldctl.store.migrations import migrations_from

_SELECT_OBJECTS = (
    "SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_%'"
)

_SELECT_INDEXES = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'"


def open_reference() -> apsw.Connection:
    """Return a connection to an empty in-memory database with this version's schema."""
    connection = apsw.Connection(":memory:")
    for statement in chain.from_iterable(migrations_from(0)):
        connection.execute(statement)
    return connection


def differences(connection: apsw.Connection) -> list[str]:
    """Return which tables and indexes are missing or have other columns; additional ones are ignored."""
    expected = open_reference()
    try:
        required, actual = _shapes(expected), _shapes(connection)
    finally:
        expected.close()
    return [f"{' '.join(key)} is missing or different" for key in required if required[key] != actual.get(key)]


def _shapes(connection: apsw.Connection) -> dict[tuple[str, str], Any]:
    shapes = {}
    for kind, name, table in connection.execute(_SELECT_OBJECTS).fetchall():
        pragma = f"PRAGMA {kind}_info('{str(name).replace(chr(39), chr(39) * 2)}')"
        shapes[str(kind), str(name)] = (table, connection.execute(pragma).fetchall())
    return shapes


def index_problems(connection: apsw.Connection) -> list[str]:
    """Return which indexes do not match their tables; may raise apsw.CorruptError for an index that cannot be read.

    `PRAGMA integrity_check` of SQLite 3.54 does not detect surplus entries in a partial index, nor an invalid first
    page of an index without entries.
    """
    expected = open_reference()
    try:
        indexes = expected.execute(_SELECT_INDEXES).fetchall()
    finally:
        expected.close()
    problems = []
    for name, table, sql in indexes:
        condition = str(sql or "").partition(" WHERE ")[2]
        if not condition:
            connection.execute(f"SELECT 1 FROM {table} INDEXED BY {name} LIMIT 1").fetchall()
            continue
        counts = {
            connection.execute(f"SELECT count(*) FROM {table} {access} WHERE {condition}").fetchall()[0]
            for access in (f"INDEXED BY {name}", "NOT INDEXED")
        }
        if len(counts) > 1:
            problems.append(f"wrong number of entries in index {name}")
    return problems
