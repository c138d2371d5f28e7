"""The schema that this version's migrations make, to compare a database with."""

from __future__ import annotations

from typing import Any

import apsw

from hldctl.store.migrations import MIGRATIONS

_OBJECTS = (
    "SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_%'"
)


def reference() -> apsw.Connection:
    """Return a connection to an empty database in memory that has the schema."""
    connection = apsw.Connection(":memory:")
    for migration in MIGRATIONS:
        for statement in migration:
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
