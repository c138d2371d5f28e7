"""The connection to the database, by the driver alone: a supervisor or a hook has neither time nor memory for more.

peewee's queries, where a command composes one, go over the same connection: see `models`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

Parameters = tuple[Any, ...] | dict[str, Any]

_CACHE_KB = 512
"""Each supervisor has one; what is written is always near what was written last."""

_open: list[apsw.Connection] = []
"""One at most."""


def is_open() -> bool:
    return bool(_open)


def connect(path: str, busy_timeout_seconds: float, *, may_create: bool = True) -> None:
    """Raises apsw.Error."""
    assert not _open, "one connection at a time"
    create = apsw.SQLITE_OPEN_CREATE if may_create else 0
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE | create)
    try:
        connection.set_busy_timeout(int(busy_timeout_seconds * 1000))
        # Otherwise a query with an order is planned anew for each value that is bound: with each line of a session.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        # WAL is not among them: it stays with the file, and setting it again asks for a lock.
        connection.execute(f"PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -{_CACHE_KB}")
    except BaseException:
        connection.close(True)
        raise
    _open.append(connection)


def use(connection: apsw.Connection) -> None:
    """Make a connection that was opened elsewhere the current one."""
    assert not _open, "one connection at a time"
    _open.append(connection)


def is_read_only() -> bool:
    """Return whether the open connection cannot write, because the disk takes no writes."""
    return current().readonly("main")


def disconnect() -> None:
    """Raises apsw.Error, as for a full disk: it tidies up on the way."""
    _open.pop().close(True)


def current() -> apsw.Connection:
    assert _open, "no connection is open"
    return _open[0]


def execute(sql: str, parameters: Parameters = ()) -> Any:
    return current().execute(sql, parameters)


def require_order(is_ordered: bool) -> None:
    """Raise CorruptError for rows that are not in the order of their key: a damaged page leads back to one before it,
    and a reader would go round for ever.
    """
    if not is_ordered:
        raise apsw.CorruptError("rows are out of order")


def insert(table: str, columns: dict[str, Any]) -> None:
    """One row, by its columns, with the values as the database holds them."""
    marks = ", ".join("?" * len(columns))
    execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))


@contextmanager
def transaction() -> Iterator[apsw.Connection]:
    """A writer's from its beginning (BEGIN IMMEDIATE); within another it is a part of that one."""
    connection = current()
    if connection.in_transaction:
        yield connection
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has done it already after some failures.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
