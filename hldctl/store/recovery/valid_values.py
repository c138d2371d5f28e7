"""Which values of a row the rest of hldctl can read: a damaged file may hold any, in rows that SQLite finds whole."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from hldctl.states import ApprovalStatus, EndReason, EventType, FeedType, NoteKind, Status
from hldctl.store.session import JSON_COLUMNS

TABLES = (
    *("sessions", "conversation_events", "file_snapshots", "mcp_servers", "feed"),
    *("approvals", "approval_rules", "command_tokens"),
)
_YEAR_10000 = 253_402_300_800_000
"""In milliseconds since 1970; no later time can be shown."""
_TIMES = frozenset(
    {
        *("created_at", "last_activity_at", "completed_at", "started_at", "responded_at", "timestamp"),
        *("dangerously_skip_permissions_expires_at", "interrupt_requested_at"),
    }
)
_PATHS = frozenset({("sessions", "working_dir"), ("sessions", "claude_path")})
_LARGEST = 1 << 62
"""More than any count, offset or process id."""


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(type(item) is kind for item in value)


def _is_fold_state(value: Any) -> bool:
    if not isinstance(value, dict) or type(value.get("unreadable_lines")) is not int:
        return False
    counts = value.get("unknown_lines")
    return isinstance(counts, dict) and all(type(count) is int for count in counts.values())


def _are_restarts(value: Any) -> bool:
    kinds = {"kind": str, "at": int, "due": int, "reason": str, "note": str, "offset": int}
    return isinstance(value, list) and all(
        isinstance(item, dict) and all(type(item.get(name)) is kind for name, kind in kinds.items()) for item in value
    )


def _are_processes(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, list) and list(map(type, item)) == [int] * 2 for item in value
    )


_JSON: dict[tuple[str, str], Callable[[Any], bool]] = {
    **{("sessions", name): _is_list_of(str) for name in JSON_COLUMNS},
    ("sessions", "permission_denials"): _is_list_of(dict),
    ("sessions", "fold_state"): _is_fold_state,
    ("sessions", "left_running"): _are_processes,
    ("sessions", "restarts"): _are_restarts,
    ("conversation_events", "tool_input"): lambda _: True,
    ("mcp_servers", "env_names"): _is_list_of(str),
    ("mcp_servers", "header_names"): _is_list_of(str),
    ("feed", "data"): _is_object,
    ("approvals", "tool_input"): _is_object,
    ("approvals", "answer"): _is_object,
    ("approvals", "answered_from"): _is_object,
}
_WORDS: dict[tuple[str, str], frozenset[str]] = {
    ("sessions", "status"): frozenset(map(str, Status)),
    ("sessions", "end_reason"): frozenset(map(str, EndReason)),
    ("sessions", "stop_reason"): frozenset(map(str, EndReason)),
    ("conversation_events", "event_type"): frozenset(map(str, EventType)),
    ("conversation_events", "note_kind"): frozenset(map(str, NoteKind)),
    ("feed", "type"): frozenset(map(str, FeedType)),
    ("approvals", "status"): frozenset(map(str, ApprovalStatus)),
}


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    kind: str
    """As it was declared: TEXT, INTEGER or REAL."""
    is_required: bool

    def is_sound(self, value: Any) -> bool:
        """Return whether the value, with text decoded, is one that hldctl could have written."""
        if value is None:
            return not self.is_required
        if self.kind == "TEXT":
            return isinstance(value, str) and self._is_sound_text(value)
        if self.kind == "REAL" and isinstance(value, float):
            return math.isfinite(value)
        if type(value) is not int:
            return False
        return 0 <= value < _YEAR_10000 if self.name in _TIMES else abs(value) < _LARGEST

    def _is_sound_text(self, value: str) -> bool:
        place = (self.table, self.name)
        if place in _WORDS:
            return value in _WORDS[place]
        if "\0" in value and (self.name.endswith("id") or place in _PATHS):
            return False
        if place not in _JSON:
            return True
        try:
            return _JSON[place](json.loads(value))
        except (ValueError, RecursionError):
            return False


def columns(connection: apsw.Connection, table: str) -> list[Column]:
    """Return the table's columns; raises apsw.Error."""
    found = connection.execute(f"PRAGMA table_info({table})").fetchall()
    # A primary key of text may be null for SQLite, and is not for hldctl.
    return [Column(table, str(row[1]), str(row[2]), bool(row[3] or row[5])) for row in found]


def query(table: str, names: list[str]) -> str:
    """Return the beginning of a query of raw rows."""
    values = ", ".join(f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END" for name in names)
    return f"SELECT rowid, {values} FROM {table} NOT INDEXED"


def decode(value: Any) -> Any:
    """Return a raw value with its text decoded; raises UnicodeDecodeError."""
    return value.decode("utf-8") if isinstance(value, bytes) else value


def unsound(connection: apsw.Connection) -> Iterator[str]:
    """Say of each row with a value that cannot be read which it is; raises apsw.Error."""
    for table in TABLES:
        found = columns(connection, table)
        for rowid, *values in connection.execute(query(table, [column.name for column in found])):
            for column, value in zip(found, values, strict=True):
                try:
                    is_sound = column.is_sound(decode(value))
                except UnicodeDecodeError:
                    is_sound = False
                if not is_sound:
                    yield f"{column.name} of row {rowid} in {table} cannot be read"
        if table == "sessions":
            yield from _undecided(connection)


_UNDECIDED = "SELECT rowid FROM sessions WHERE (completed_at IS NULL) = (status IN (?, ?, ?))"


def _undecided(connection: apsw.Connection) -> Iterator[str]:
    ended = (str(Status.COMPLETED), str(Status.FAILED), str(Status.INTERRUPTED))
    for (rowid,) in connection.execute(_UNDECIDED, ended):
        yield f"row {rowid} in sessions has ended by its status or its time of end, and not by the other"
