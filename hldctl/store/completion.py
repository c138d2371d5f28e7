"""Read-only queries for shell completion, without peewee so that a TAB is answered quickly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple

import apsw

from hldctl.paths import StateDirectory

_LIMIT = 100
_TITLE_LENGTH = 200
_BUSY_TIMEOUT_MS = 50


class SessionFilter(StrEnum):
    """The kinds of sessions that an argument accepts."""

    ANY = "session"
    ALIVE = "session that has not ended"
    ENDED = "session that has ended"
    BEGUN = "session with a conversation"
    ASKING = "session that waits for permission"


_CONDITIONS = {
    SessionFilter.ANY: "1",
    SessionFilter.ALIVE: "completed_at IS NULL",
    SessionFilter.ENDED: "completed_at IS NOT NULL",
    SessionFilter.BEGUN: "claude_session_id IS NOT NULL",
    SessionFilter.ASKING: "pending_approvals > 0",
}


class SessionLine(NamedTuple):
    id: str
    name: str | None
    status: str
    title: str
    is_short_id_unique: bool


class RequestLine(NamedTuple):
    id: str
    tool_name: str
    tool_input: str


@contextmanager
def open_for_completion(state: StateDirectory) -> Iterator[apsw.Connection]:
    """Open the database for reading; no file is created, and none changed except the memory that readers share.

    Raise apsw.Error without a database, UnfitEnvironment if the state directory belongs to another user.
    """
    state.require_own()
    connection = _connect(state)
    try:
        yield connection
    finally:
        connection.close()


def _connect(state: StateDirectory) -> apsw.Connection:
    # A reader of a database in WAL mode creates the WAL files if they are missing, unless the database is opened as
    # immutable; if they are missing, no other process has the database open. A full or read-only disk has no room for
    # them: the newest changes, in the write-ahead log, are then not offered.
    if state.database.with_name(f"{state.database.name}-wal").exists():
        connection = _open(state, "mode=ro")
        try:
            connection.execute("PRAGMA user_version").fetchone()
        except (apsw.CantOpenError, apsw.IOError, apsw.FullError):
            connection.close()
        else:
            return connection
    return _open(state, "immutable=1")


def _open(state: StateDirectory, mode: str) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(f"{state.database.as_uri()}?{mode}", flags=flags)
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    return connection


def sessions(connection: apsw.Connection, which: SessionFilter, beginning: str) -> list[SessionLine]:
    """Return the sessions whose id or name begins with `beginning`, newest first.

    Archived sessions are included only if `beginning` is not empty.
    """
    query = (
        f"SELECT id, name, status, substr(coalesce(title, summary), 1, {_TITLE_LENGTH}),"
        " NOT EXISTS (SELECT 1 FROM sessions AS other WHERE other.id >= substr(sessions.id, 1, 8)"
        " AND other.id < substr(sessions.id, 1, 8) || char(127) AND other.id != sessions.id)"
        f" FROM sessions WHERE {_CONDITIONS[which]} AND (archived = 0 OR :typed != '')"
        " AND (substr(id, 1, length(:typed)) = :typed OR substr(name, 1, length(:typed)) = :typed)"
        f" ORDER BY created_at DESC, rowid DESC LIMIT {_LIMIT}"
    )
    return [SessionLine._make(row) for row in connection.execute(query, {"typed": beginning})]


def newest_id(connection: apsw.Connection) -> str | None:
    """Return the id that `last` refers to; None without sessions."""
    row = connection.execute("SELECT id FROM sessions ORDER BY rowid DESC LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def names(connection: apsw.Connection) -> list[str]:
    """Return the names in use, the last used first."""
    query = (
        f"SELECT name FROM sessions WHERE name IS NOT NULL GROUP BY name ORDER BY max(created_at) DESC LIMIT {_LIMIT}"
    )
    return [str(name) for (name,) in connection.execute(query)]


def requests(connection: apsw.Connection) -> list[RequestLine]:
    """Return the pending permission requests, oldest first."""
    query = (
        f"SELECT id, tool_name, substr(tool_input, 1, {_TITLE_LENGTH}) FROM approvals WHERE status = 'pending'"
        f" ORDER BY created_at, rowid LIMIT {_LIMIT}"
    )
    return [RequestLine._make(row) for row in connection.execute(query)]


def tools(connection: apsw.Connection) -> list[str]:
    """Return the names of the tools with pending permission requests."""
    query = "SELECT DISTINCT tool_name FROM approvals WHERE status = 'pending' ORDER BY tool_name"
    return [str(name) for (name,) in connection.execute(query)]
