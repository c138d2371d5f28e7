"""The connection to the database, without peewee: a supervisor or a hook has neither the time nor the memory for it.

Queries that a command composes with peewee use the same connection: see `models`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

Parameters = tuple[Any, ...] | dict[str, Any]

# Each supervisor has a cache. A small one is enough: each write is near the previous one.
_CACHE_KB = 512


class _Thread(threading.local):
    """What a thread has open: a program may use the Python API in several threads."""

    def __init__(self) -> None:
        self.connections: list[apsw.Connection] = []
        """At most one."""


_thread = _Thread()


def is_open() -> bool:
    return bool(_thread.connections)


def connect(
    path: str, busy_timeout_seconds: float, *, may_create: bool = True, checkpoints_at_end: bool = True
) -> None:
    """Open the connection; raise apsw.Error if that fails.

    With `checkpoints_at_end`, the last connection to close moves the write-ahead log into the database.
    """
    assert not _thread.connections, "one connection at a time"
    create = apsw.SQLITE_OPEN_CREATE if may_create else 0
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE | create)
    try:
        connection.set_busy_timeout(int(busy_timeout_seconds * 1000))
        # Otherwise a query with ORDER BY is planned again for each bound value, that is for each line of a session.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, not checkpoints_at_end)
        # The WAL mode is not set here: it is stored in the file, and setting it again needs a lock.
        connection.execute(f"PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -{_CACHE_KB}")
    except BaseException:
        connection.close(True)
        raise
    _thread.connections.append(connection)


def use(connection: apsw.Connection) -> None:
    """Make a connection that was opened elsewhere the current one."""
    assert not _thread.connections, "one connection at a time"
    _thread.connections.append(connection)


def is_read_only() -> bool:
    """Return whether the open connection is read-only because the disk cannot be written to."""
    return current_connection().readonly("main")


def disconnect() -> None:
    """Close the connection; raise apsw.Error if SQLite cannot clean up its files, for example on a full disk."""
    _thread.connections.pop().close(True)


def current_connection() -> apsw.Connection:
    """Return the open connection."""
    assert _thread.connections, "no connection is open"
    return _thread.connections[0]


def execute(sql: str, parameters: Parameters = ()) -> Any:
    return current_connection().execute(sql, parameters)


def require_order(is_ordered: bool) -> None:
    """Raise CorruptError if `is_ordered` is False: rows were not in the order of their key.

    A damaged page can point back to an earlier one, and a reader would loop forever.
    """
    if not is_ordered:
        raise apsw.CorruptError("rows are out of order")


def insert(table: str, columns: dict[str, Any]) -> None:
    """Insert one row; `columns` maps names to values as the database stores them."""
    marks = ", ".join("?" * len(columns))
    execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))


@contextmanager
def transaction() -> Iterator[apsw.Connection]:
    """Run the block in a transaction that begins with BEGIN IMMEDIATE, or in the current one if there is one."""
    connection = current_connection()
    if connection.in_transaction:
        yield connection
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # After some failures SQLite has rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
