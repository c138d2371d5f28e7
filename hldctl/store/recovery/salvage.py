"""Recovery of rows from a copy of a damaged database, skipping the damaged parts."""

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
from hldctl.store.connection import current_connection, execute, require_order, transaction
from hldctl.store.recovery import header, schema, valid_values
from hldctl.store.recovery.valid_values import Column
from hldctl.store.session import JSON_COLUMNS, decode_row
from hldctl.system.clock import current_time_ms

_LEDGER_TABLES = ("spending", "budget_alerts")
_PERMISSION_TABLES = ("approvals", "approval_rules", "command_tokens")
# A row of these tables allows something: it is recovered exactly as it was written, or not at all.
_GRANTING_TABLES = ("approval_rules", "command_tokens")
_CONVERSATION_TABLES = ("conversation_events", "file_snapshots")
_MAX_ROWID = (1 << 63) - 1
# No more rows are read from a damaged file than it has room for.
_MIN_ROW_BYTES = 8
# A session's row with more invalid values than this is not a session.
_MAX_UNSOUND_VALUES = 5

Row = dict[str, Any]


@dataclass
class SessionRow:
    """The readable values of a session's row, by column, decoded."""

    certain: Row = field(default_factory=dict)
    doubtful: Row = field(default_factory=dict)
    """Text that was not UTF-8, with replacement characters."""


@dataclass
class RecoveredRows:
    """The rows that could be read from a damaged database."""

    sessions: dict[str, SessionRow] = field(default_factory=dict)
    permissions: dict[str, list[Row]] = field(default_factory=dict)
    """The rows of each table about permissions, which no journal has."""
    ledger: dict[str, list[Row]] = field(default_factory=dict)
    """The rows of each table about budgets; of deleted sessions, no journal has them."""
    last_feed_id: int | None = None
    incomplete: set[str] = field(default_factory=set)
    """The tables that could not be read completely."""


class DamagedCopy:
    """A private copy of a damaged database, opened with as few checks as possible."""

    def __init__(self, damaged: Path) -> None:
        # Beside the database: there was room for the first copy.
        self._directory = Path(tempfile.mkdtemp(prefix="salvage-", dir=damaged.parent))
        self._connection: apsw.Connection | None = None
        self._reference = schema.open_reference()
        try:
            self._path = self._directory / "hldctl.db"
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{damaged}{suffix}", f"{self._path}{suffix}")
            header.repair(self._path)
            self._max_rows = 1 + sum(path.stat().st_size for path in self._directory.iterdir()) // _MIN_ROW_BYTES
            self._connection = apsw.Connection(str(self._path))
            # With this, an unreadable line of the schema does not make the other tables unreadable.
            self._connection.config(apsw.SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1)
            self._connection.execute("PRAGMA cell_size_check = ON").fetchall()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close and delete the copy."""
        if self._connection is not None:
            with contextlib.suppress(apsw.Error):
                self._connection.close(True)
        self._reference.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def columns(self, table: str) -> list[Column]:
        """Return the columns that are both in the copy and in this version's table."""
        try:
            names = {column.name for column in valid_values.columns(self._open, table)}
        except (apsw.Error, ValueError):
            return []
        return [column for column in valid_values.columns(self._reference, table) if column.name in names]

    def rows(self, table: str, incomplete: set[str]) -> Iterator[Row]:
        """Yield the readable rows as raw values by column; add the table to `incomplete` if there is damage."""
        names = [column.name for column in self.columns(table)]
        if not names:
            incomplete.add(table)
            return
        query = f"{valid_values.raw_rows_query(table, names)} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
        position, step, seen = 1, 1, set[int]()
        while position <= _MAX_ROWID and len(seen) <= self._max_rows:
            try:
                for rowid, *values in self._open.execute(query, (position, _MAX_ROWID)):
                    # A damaged page may point back to an earlier one, in a loop.
                    require_order(rowid >= position)
                    if rowid not in seen:
                        seen.add(rowid)
                        yield dict(zip(names, values, strict=True))
                    position, step = rowid + 1, 1
                return
            except (apsw.Error, MemoryError):
                # Look for the next readable page in increasing steps.
                incomplete.add(table)
                position += step
                step *= 2

    def find_session(self, session_id: str) -> Row | None:
        """Return a session's raw row through the index of ids, which may bypass the damage; None if that fails."""
        names = [column.name for column in self.columns("sessions")]
        query = valid_values.raw_rows_query("sessions", names).removesuffix("NOT INDEXED") + "WHERE id = ?"
        try:
            row = self._open.execute(query, (session_id,)).fetchone() if names else None
        except (apsw.Error, MemoryError):
            return None
        return None if row is None else dict(zip(names, row[1:], strict=True))

    def last_feed_id(self) -> int | None:
        """Return the highest id that the feed has had; None if it cannot be read."""
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


def salvage(damaged: DamagedCopy, session_ids: Iterable[str]) -> RecoveredRows:
    """Return the rows that can be read of these sessions, and of all others in the copy."""
    salvaged = RecoveredRows()
    session_columns = damaged.columns("sessions")
    raw_rows = list(damaged.rows("sessions", salvaged.incomplete))
    known_ids = {row.get("id") for row in raw_rows}
    for session_id in session_ids:
        if session_id.encode() not in known_ids and (row := damaged.find_session(session_id)) is not None:
            raw_rows.append(row)
    for row in raw_rows:
        session = _session_row(session_columns, row)
        if session is not None and "id" in session.certain:
            salvaged.sessions.setdefault(session.certain["id"], session)
    for tables, rows_by_table in ((_PERMISSION_TABLES, salvaged.permissions), (_LEDGER_TABLES, salvaged.ledger)):
        for table in tables:
            columns = damaged.columns(table)
            rows = (_sound_row(columns, row) for row in damaged.rows(table, salvaged.incomplete))
            rows_by_table[table] = [row for row in rows if row is not None]
    salvaged.last_feed_id = damaged.last_feed_id()
    return salvaged


def _decode_lossy(raw: Any) -> tuple[Any, bool]:
    """Return a raw value with its text decoded, and whether it was UTF-8; if not, it has replacement characters."""
    try:
        return valid_values.decode(raw), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", errors="replace"), False


def _session_row(columns: list[Column], row: Row) -> SessionRow | None:
    """Return the readable values of a row; None if it is not a session, for example if its page was overwritten."""
    session = SessionRow()
    unsound = 0
    for column in columns:
        value, is_certain = _decode_lossy(row[column.name])
        if column.is_valid(value):
            values = session.certain if is_certain else session.doubtful
            values |= decode_row([column.name], [value])
        else:
            unsound += 1
    return session if unsound <= _MAX_UNSOUND_VALUES else None


def _sound_row(columns: list[Column], row: Row) -> Row | None:
    """Return the row to record again, with text as far as it can be read; None if it is not a valid row."""
    valid_row: Row = {}
    for column in columns:
        value, is_certain = _decode_lossy(row[column.name])
        if not is_certain and column.table in _GRANTING_TABLES:
            return None
        if not column.is_valid(value):
            value = _replacement(column, value)
        if value is None and column.is_required:
            return None
        valid_row[column.name] = value
    return valid_row


def _replacement(column: Column, value: Any) -> Any:
    if column.table == "approvals" and column.name == "status":
        return str(ApprovalStatus.EXPIRED)
    if column.table == "approvals" and column.name == "tool_input":
        return json.dumps({"unreadable": str(value)})
    return None


def restore_permissions(rows: dict[str, list[Row]]) -> None:
    """Record the rows about permissions again whose sessions have been recovered."""
    ids = {row[0] for row in execute("SELECT id FROM sessions").fetchall()}
    with transaction():
        for table, table_rows in rows.items():
            for row in table_rows:
                if row.get("session_id") in ids:
                    _insert_if_absent(table, row)
        for session_id in ids:
            approvals.mark_events(current_connection(), session_id)
            approvals.refresh_session(current_connection(), session_id, current_time_ms())


def restore_ledger(rows: dict[str, list[Row]]) -> None:
    """Record what was spent again, except what the journals have shown again, or will when a supervisor reads them."""
    with transaction():
        query = "SELECT session_id FROM spending UNION SELECT id FROM sessions WHERE completed_at IS NULL"
        known = {row[0] for row in execute(query).fetchall()}
        for table, table_rows in rows.items():
            for row in table_rows:
                if row.get("session_id") not in known:
                    _insert_if_absent(table, row)


def restore_conversation(damaged: DamagedCopy, session_id: str, session: SessionRow) -> None:
    """Record the events of a session again whose journal no longer has them."""
    with transaction():
        for table in _CONVERSATION_TABLES:
            columns = damaged.columns(table)
            for row in damaged.rows(table, set()):
                if row.get("session_id") == session_id.encode() and (event_row := _event_row(columns, row)) is not None:
                    _insert_if_absent(table, event_row)
        progress = {name: session.certain[name] for name in ("journal_offset", "fold_state") if name in session.certain}
        for name, value in progress.items():
            stored = json.dumps(value) if name in JSON_COLUMNS else value
            execute(f"UPDATE sessions SET {name} = ? WHERE id = ?", (stored, session_id))


def _event_row(columns: list[Column], row: Row) -> Row | None:
    valid_row: Row = {}
    for column in columns:
        value, _ = _decode_lossy(row[column.name])
        if not column.is_valid(value):
            if column.is_required:
                return None
            value = None
        valid_row[column.name] = value
    return valid_row


def _insert_if_absent(table: str, row: Row) -> None:
    marks = ", ".join("?" * len(row))
    execute(f"INSERT OR IGNORE INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
