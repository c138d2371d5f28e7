"""Whether the database is whole, and what can be had of one that is not."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from hldctl.host.clock import now
from hldctl.host.paths import StateDirectory
from hldctl.store import approvals
from hldctl.store.connection import current, execute, transaction
from hldctl.store.models import SessionTable
from hldctl.store.session import decoded

WITHOUT_BUG = (3, 51, 3)
"""The first SQLite without the WAL-reset bug: https://sqlite.org/wal.html#walresetbug."""
_MOST_PROBLEMS = 20
_ABOUT_PERMISSIONS = ("approvals", "approval_rules", "command_tokens")
_IN_USE_SECONDS = 5


def sqlite_version() -> tuple[int, ...]:
    return tuple(map(int, apsw.sqlite_lib_version().split(".")))


def damage() -> list[str]:
    """What SQLite finds wrong with the open database, in its words; empty if it is whole."""
    found = [str(row[0]) for row in execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})")]
    return [line for line in found if line != "ok"]


def is_unreadable(state: StateDirectory) -> bool:
    """Whether the file is none that SQLite can read, rather than one that cannot be had at the moment."""
    try:
        connection = apsw.Connection(str(state.database), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            return connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]
        finally:
            connection.close()
    except (apsw.CorruptError, apsw.NotADBError):
        return True
    except apsw.Error:
        return False


@dataclass(frozen=True)
class Progress:
    """How far a session is folded, by its row and by its events; these agree unless something was lost."""

    session_id: str
    has_ended: bool
    journal_offset: int
    sequence: int
    events: int
    last_event: int


_PROGRESS = """
SELECT s.id, s.completed_at IS NOT NULL, s.journal_offset, json_extract(s.fold_state, '$.sequence'),
    coalesce(e.events, 0), coalesce(e.last_event, 0)
FROM sessions s LEFT JOIN (
    SELECT session_id, count(*) AS events, max(sequence) AS last_event FROM conversation_events GROUP BY session_id
) e ON e.session_id = s.id
"""


def progress() -> Iterator[Progress]:
    """Of all sessions, as of one moment."""
    for session_id, has_ended, offset, sequence, events, last_event in execute(_PROGRESS).fetchall():
        yield Progress(session_id, bool(has_ended), offset, sequence or 0, events, last_event)


def set_aside(state: StateDirectory) -> Path:
    """Copies the database, its write-ahead log included, to a name of its own beside it."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = state.database.with_name(f"hldctl.db.damaged-{stamp}")
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{state.database}{suffix}", f"{aside}{suffix}")
    return aside


def forget(aside: Path) -> None:
    """Deletes a copy that was made in vain."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{aside}{suffix}").unlink(missing_ok=True)


@dataclass(frozen=True)
class Salvage:
    sessions: dict[str, dict[str, Any]]
    """What could be read of the sessions' rows, by id and column."""
    permissions: dict[str, list[dict[str, Any]]]
    """What no journal tells: the rows of each table about permissions."""
    last_feed_id: int | None


def salvage(damaged: Path, session_ids: Iterable[str]) -> Salvage:
    """What a damaged copy still tells of these sessions, and of those that it names itself."""
    connection = apsw.Connection(str(damaged))
    try:
        ids = {*session_ids, *(row[0] for row in _readable(connection, "SELECT id FROM sessions"))}
        rows = {}
        for session_id in ids:
            for row in _rows(connection, "sessions", "WHERE id = ?", (session_id,)):
                with contextlib.suppress(ValueError, TypeError):
                    rows[str(session_id)] = _as_python(row)
        counters = _readable(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'feed'")
        permissions = {table: _rows(connection, table) for table in _ABOUT_PERMISSIONS}
        return Salvage(rows, permissions, next((int(row[0]) for row in counters), None))
    finally:
        connection.close()


def put_back(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Of sessions that are there again, and of columns that this program knows."""
    ids = {row[0] for row in execute("SELECT id FROM sessions").fetchall()}
    with transaction():
        for table, found in rows.items():
            known = {row[1] for row in execute(f"PRAGMA table_info({table})").fetchall()}
            for row in found:
                if row.get("session_id") in ids:
                    names = [name for name in row if name in known]
                    marks = ", ".join("?" * len(names))
                    values = tuple(row[name] for name in names)
                    execute(f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})", values)
        for session_id in ids:
            approvals.mark_events(current(), session_id)
            approvals.refresh_session(current(), session_id, now())


def _rows(
    connection: apsw.Connection, table: str, condition: str = "", parameters: tuple[Any, ...] = ()
) -> list[dict[str, Any]]:
    names = [row[1] for row in _readable(connection, f"PRAGMA table_info({table})")]
    found = _readable(connection, f"SELECT * FROM {table} {condition}", parameters)
    return [dict(zip(names, row, strict=False)) for row in found]


def _readable(connection: apsw.Connection, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The rows up to where the damage begins."""
    rows: list[tuple[Any, ...]] = []
    with contextlib.suppress(apsw.Error):
        rows.extend(connection.execute(sql, parameters))
    return rows


def _as_python(row: dict[str, Any]) -> dict[str, Any]:
    """The columns that this program knows, as its models give them."""
    names = [name for name in row if name in SessionTable._meta.columns]
    return decoded(names, (row[name] for name in names))


def make_empty(state: StateDirectory) -> None:
    """Takes all out of the database, however damaged, in its place; raises apsw.BusyError while another has it open."""
    connection = apsw.Connection(str(state.database))
    try:
        connection.set_busy_timeout(_IN_USE_SECONDS * 1000)
        # The way that SQLite has for it: https://sqlite.org/c3ref/c_dbconfig_defensive.html
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
        connection.execute("VACUUM")
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 0)
    finally:
        connection.close()


def continue_feed_at(feed_id: int) -> None:
    """The next event of the feed gets a higher id than this."""
    with transaction():
        execute("DELETE FROM sqlite_sequence WHERE name = 'feed'")
        execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('feed', ?)", (feed_id,))
