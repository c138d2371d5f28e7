"""What can still be read of a damaged database: from a copy of it, row by row, around what is damaged."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from hldctl.states import ApprovalStatus
from hldctl.store import approvals
from hldctl.store.connection import current, execute, require_order, transaction
from hldctl.store.recovery import header, schema, valid_values
from hldctl.store.recovery.valid_values import Column
from hldctl.store.session import JSON_COLUMNS, decode_row
from hldctl.system.clock import now

_ABOUT_PERMISSIONS = ("approvals", "approval_rules", "command_tokens")
_ALLOWING = ("approval_rules", "command_tokens")
"""A row of these allows something: it is what was written, or it is not there."""
_OF_CONVERSATIONS = ("conversation_events", "file_snapshots")
_LARGEST_ROWID = (1 << 63) - 1
_SMALLEST_ROW = 8
"""Bytes: of a damaged file no more rows are read than it has room for."""

_MOST_UNSOUND = 5
"""Values of a session's row."""

Row = dict[str, Any]


@dataclass
class SessionRow:
    """What could be read of a session's row, by column, as the models give it."""

    certain: Row = field(default_factory=dict)
    doubtful: Row = field(default_factory=dict)
    """Text that was not UTF-8, with replacement characters."""


@dataclass
class Salvage:
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    permissions: dict[str, list[Row]] = field(default_factory=dict)
    """What no journal has: the rows of each table about permissions."""
    last_feed_id: int | None = None
    incomplete: set[str] = field(default_factory=set)
    """The tables of which something could not be read."""


class DamagedCopy:
    """A private copy of a damaged database, opened as far as it goes."""

    def __init__(self, damaged: Path) -> None:
        # Beside the database, where there was room for the first copy.
        self._directory = Path(tempfile.mkdtemp(prefix="salvage-", dir=damaged.parent))
        self._connection: apsw.Connection | None = None
        self._reference = schema.reference()
        try:
            self._path = self._directory / "hldctl.db"
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{damaged}{suffix}", f"{self._path}{suffix}")
            header.repair(self._path)
            self._most_rows = 1 + sum(path.stat().st_size for path in self._directory.iterdir()) // _SMALLEST_ROW
            self._connection = apsw.Connection(str(self._path))
            # One line of the schema that cannot be read is then no reason to refuse the others.
            self._connection.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1)
            self._connection.execute("PRAGMA cell_size_check = ON").fetchall()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(apsw.Error):
                self._connection.close(True)
        self._reference.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def columns(self, table: str) -> list[Column]:
        """Return the columns that both the copy and this version's table have."""
        try:
            there = {column.name for column in valid_values.columns(self._open, table)}
        except (apsw.Error, ValueError):
            return []
        return [column for column in valid_values.columns(self._reference, table) if column.name in there]

    def rows(self, table: str, incomplete: set[str]) -> Iterator[Row]:
        """Give the rows that can be read, by column and raw; adds the table to `incomplete` if it met damage."""
        names = [column.name for column in self.columns(table)]
        if not names:
            incomplete.add(table)
            return
        query = f"{valid_values.query(table, names)} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
        position, step, seen = 1, 1, set[int]()
        while position <= _LARGEST_ROWID and len(seen) <= self._most_rows:
            try:
                for rowid, *values in self._open.execute(query, (position, _LARGEST_ROWID)):
                    # A damaged page may lead back to one before it, again and again.
                    require_order(rowid >= position)
                    if rowid not in seen:
                        seen.add(rowid)
                        yield dict(zip(names, values, strict=True))
                    position, step = rowid + 1, 1
                return
            except (apsw.Error, MemoryError):
                # The next page that can be read is looked for with ever longer steps.
                incomplete.add(table)
                position += step
                step *= 2

    def by_id(self, session_id: str) -> Row | None:
        """Return a session's raw row by the index of ids, which may lead past what is damaged."""
        names = [column.name for column in self.columns("sessions")]
        query = valid_values.query("sessions", names).removesuffix("NOT INDEXED") + "WHERE id = ?"
        try:
            found = self._open.execute(query, (session_id,)).fetchone() if names else None
        except (apsw.Error, MemoryError):
            return None
        return None if found is None else dict(zip(names, found[1:], strict=True))

    def last_feed_id(self) -> int | None:
        for query in ("SELECT seq FROM sqlite_sequence WHERE name = 'feed'", "SELECT max(id) FROM feed"):
            with contextlib.suppress(apsw.Error, ValueError):
                for (value,) in self._open.execute(query):
                    if isinstance(value, int) and 0 < value < 1 << 62:
                        return value
        return None

    @property
    def _open(self) -> apsw.Connection:
        assert self._connection is not None
        return self._connection


def salvage(damaged: DamagedCopy, session_ids: Iterable[str]) -> Salvage:
    """Return what the copy has of these sessions, and of those that it names itself."""
    found = Salvage()
    kinds = damaged.columns("sessions")
    raw = list(damaged.rows("sessions", found.incomplete))
    named = {row.get("id") for row in raw}
    for session_id in session_ids:
        if session_id.encode() not in named and (row := damaged.by_id(session_id)) is not None:
            raw.append(row)
    for row in raw:
        session = _session(kinds, row)
        if session is not None and "id" in session.certain:
            found.sessions.setdefault(session.certain["id"], session)
    for table in _ABOUT_PERMISSIONS:
        columns = damaged.columns(table)
        rows = (_permission_row(columns, row) for row in damaged.rows(table, found.incomplete))
        found.permissions[table] = [row for row in rows if row is not None]
    found.last_feed_id = damaged.last_feed_id()
    return found


def _readable(raw: Any) -> tuple[Any, bool]:
    """Return a raw value with its text decoded, and whether that was UTF-8; if not it has replacement characters."""
    try:
        return valid_values.decode(raw), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", errors="replace"), False


def _session(columns: list[Column], row: Row) -> SessionRow | None:
    """Return what can be read of the row; None for what is none, as where another page was written over this one."""
    found = SessionRow()
    unsound = 0
    for column in columns:
        value, is_certain = _readable(row[column.name])
        if column.is_sound(value):
            kept = found.certain if is_certain else found.doubtful
            kept |= decode_row([column.name], [value])
        else:
            unsound += 1
    return found if unsound <= _MOST_UNSOUND else None


def _permission_row(columns: list[Column], row: Row) -> Row | None:
    """Return what is to be recorded again, with text as it can be read; None where it cannot be a row."""
    found: Row = {}
    for column in columns:
        value, is_certain = _readable(row[column.name])
        if not is_certain and column.table in _ALLOWING:
            return None
        if not column.is_sound(value):
            value = _replaced(column, value)
        if value is None and column.is_required:
            return None
        found[column.name] = value
    return found


def _replaced(column: Column, value: Any) -> Any:
    if column.table == "approvals" and column.name == "status":
        return str(ApprovalStatus.EXPIRED)
    if column.table == "approvals" and column.name == "tool_input":
        return json.dumps({"unreadable": str(value)})
    return None


def put_back(rows: dict[str, list[Row]]) -> None:
    """Record the rows about permissions again, of sessions that are there again."""
    ids = {row[0] for row in execute("SELECT id FROM sessions").fetchall()}
    with transaction():
        for table, found in rows.items():
            for row in found:
                if row.get("session_id") in ids:
                    _insert_if_absent(table, row)
        for session_id in ids:
            approvals.mark_events(current(), session_id)
            approvals.refresh_session(current(), session_id, now())


def put_conversation_back(damaged: DamagedCopy, session_id: str, session: SessionRow) -> None:
    """Record the events of a session again whose journal does not have them any more."""
    with transaction():
        for table in _OF_CONVERSATIONS:
            columns = damaged.columns(table)
            for row in damaged.rows(table, set()):
                if row.get("session_id") == session_id.encode() and (found := _event(columns, row)) is not None:
                    _insert_if_absent(table, found)
        known = {name: session.certain[name] for name in ("journal_offset", "fold_state") if name in session.certain}
        for name, value in known.items():
            stored = json.dumps(value) if name in JSON_COLUMNS else value
            execute(f"UPDATE sessions SET {name} = ? WHERE id = ?", (stored, session_id))


def _event(columns: list[Column], row: Row) -> Row | None:
    found: Row = {}
    for column in columns:
        value, _ = _readable(row[column.name])
        if not column.is_sound(value):
            if column.is_required:
                return None
            value = None
        found[column.name] = value
    return found


def _insert_if_absent(table: str, row: Row) -> None:
    marks = ", ".join("?" * len(row))
    execute(f"INSERT OR IGNORE INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
