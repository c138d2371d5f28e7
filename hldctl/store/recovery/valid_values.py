"""Validation of the values in a row: a damaged file may hold any value in rows that SQLite considers intact."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from hldctl.states import ApprovalStatus, EndReason, EventType, FeedType, NoteKind, Source, Status
from hldctl.store.budgets.waits import BudgetWait
from hldctl.store.session import JSON_COLUMNS
from hldctl.system.periods import Period

TABLES = (
    *("sessions", "conversation_events", "file_snapshots", "mcp_servers", "feed"),
    *("approvals", "approval_rules", "command_tokens"),
    *("spending", "budget_alerts"),
)
# No later time can be formatted.
_YEAR_10000_MS = 253_402_300_800_000
_TIMES = frozenset(
    {
        *("created_at", "last_activity_at", "completed_at", "started_at", "responded_at", "timestamp"),
        *("dangerously_skip_permissions_expires_at", "interrupt_requested_at"),
        *("spent_at", "since", "until"),
    }
)
_PATHS = frozenset({("sessions", "working_dir"), ("sessions", "claude_path")})
# More than any count, offset or process id.
_MAX_INTEGER = 1 << 62


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(type(item) is kind for item in value)


def _is_fold_state(value: Any) -> bool:
    if not isinstance(value, dict) or type(value.get("unreadable_lines")) is not int:
        return False
    counts = value.get("unknown_lines")
    return isinstance(counts, dict) and all(type(count) is int for count in counts.values())


def _is_restart_list(value: Any) -> bool:
    kinds = {"kind": str, "at": int, "due": int, "reason": str, "note": str, "offset": int}
    return isinstance(value, list) and all(
        isinstance(item, dict) and all(type(item.get(name)) is kind for name, kind in kinds.items()) for item in value
    )


def _is_budget_wait(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {*BudgetWait._fields} and type(value["until"]) is int


def _is_process_list(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, list) and list(map(type, item)) == [int] * 2 for item in value
    )


def _is_worktree(value: Any) -> bool:
    names = ("path", "branch", "base", "base_commit", "repository")
    return isinstance(value, dict) and all(type(value.get(name)) is str for name in names)


_JSON_CHECKS: dict[tuple[str, str], Callable[[Any], bool]] = {
    **{("sessions", name): _is_list_of(str) for name in JSON_COLUMNS},
    ("sessions", "permission_denials"): _is_list_of(dict),
    ("sessions", "json_schema"): _is_object,
    ("sessions", "structured_output"): lambda value: value is None or isinstance(value, dict),
    ("sessions", "worktree"): _is_worktree,
    ("sessions", "fold_state"): _is_fold_state,
    ("sessions", "left_running"): _is_process_list,
    ("sessions", "waiting_budget"): _is_budget_wait,
    ("sessions", "restarts"): _is_restart_list,
    ("conversation_events", "tool_input"): lambda _: True,
    ("mcp_servers", "env_names"): _is_list_of(str),
    ("mcp_servers", "header_names"): _is_list_of(str),
    ("feed", "data"): _is_object,
    ("approvals", "tool_input"): _is_object,
    ("approvals", "answer"): _is_object,
    ("approvals", "answered_from"): _is_object,
}
_ENUMS: dict[tuple[str, str], frozenset[str]] = {
    ("sessions", "status"): frozenset(map(str, Status)),
    ("sessions", "end_reason"): frozenset(map(str, EndReason)),
    ("sessions", "stop_reason"): frozenset(map(str, EndReason)),
    ("sessions", "source"): frozenset(map(str, Source)),
    ("budget_alerts", "period"): frozenset(map(str, Period)),
    ("conversation_events", "event_type"): frozenset(map(str, EventType)),
    ("conversation_events", "note_kind"): frozenset(map(str, NoteKind)),
    ("feed", "type"): frozenset(map(str, FeedType)),
    ("approvals", "status"): frozenset(map(str, ApprovalStatus)),
}


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    table: str
    name: str
    kind: str
    """The declared type: TEXT, INTEGER or REAL."""
    is_required: bool

    def is_valid(self, value: Any) -> bool:
        """Return whether hldctl could have written the value; text must be decoded already."""
        if value is None:
            return not self.is_required
        if self.kind == "TEXT":
            return isinstance(value, str) and self._is_sound_text(value)
        if self.kind == "REAL" and isinstance(value, float):
            return math.isfinite(value)
        if type(value) is not int:
            return False
        return 0 <= value < _YEAR_10000_MS if self.name in _TIMES else abs(value) < _MAX_INTEGER

    def _is_sound_text(self, value: str) -> bool:
        column = (self.table, self.name)
        if column in _ENUMS:
            return value in _ENUMS[column]
        if "\0" in value and (self.name.endswith("id") or column in _PATHS):
            return False
        if column not in _JSON_CHECKS:
            return True
        try:
            return _JSON_CHECKS[column](json.loads(value))
        except (ValueError, RecursionError):
            return False


def columns(connection: apsw.Connection, table: str) -> list[Column]:
    """Return the table's columns; raise apsw.Error if they cannot be read."""
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    # SQLite allows a text primary key to be null; hldctl does not.
    return [Column(table, str(row[1]), str(row[2]), bool(row[3] or row[5])) for row in rows]


def raw_rows_query(table: str, names: list[str]) -> str:
    """Return the beginning of a query for raw rows, whose text is bytes."""
    values = ", ".join(f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END" for name in names)
    return f"SELECT rowid, {values} FROM {table} NOT INDEXED"


def decode(value: Any) -> Any:
    """Return a raw value with its text decoded; raise UnicodeDecodeError if it is not UTF-8."""
    return value.decode("utf-8") if isinstance(value, bytes) else value


def invalid_values(connection: apsw.Connection) -> Iterator[str]:
    """Yield a message for each value that cannot be read; raise apsw.Error if the table cannot be read."""
    for table in TABLES:
        table_columns = columns(connection, table)
        for rowid, *values in connection.execute(raw_rows_query(table, [column.name for column in table_columns])):
            for column, value in zip(table_columns, values, strict=True):
                try:
                    is_sound = column.is_valid(decode(value))
                except UnicodeDecodeError:
                    is_sound = False
                if not is_sound:
                    yield f"{column.name} of row {rowid} in {table} cannot be read"
        if table == "sessions":
            yield from _contradictory_rows(connection)


_SELECT_CONTRADICTORY = "SELECT rowid FROM sessions WHERE (completed_at IS NULL) = (status IN (?, ?, ?))"


def _contradictory_rows(connection: apsw.Connection) -> Iterator[str]:
    ended = (str(Status.COMPLETED), str(Status.FAILED), str(Status.INTERRUPTED))
    for (rowid,) in connection.execute(_SELECT_CONTRADICTORY, ended):
        yield f"row {rowid} in sessions has a status and a time of end that contradict each other"
