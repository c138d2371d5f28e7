"""Rows of the record, written to the tables of a replica."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import apsw

from hldctl.fleet import columns
from hldctl.fleet.record.reading import RecordedRow
from hldctl.store.approvals import Approval
from hldctl.store.events import Event
from hldctl.store.session import COLUMNS, JSON_COLUMNS, encode_value

_UPSERT = f"INSERT OR REPLACE INTO sessions ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_INSERT_EVENT = (
    f"INSERT OR REPLACE INTO conversation_events ({', '.join(Event._fields)})"
    f" VALUES ({', '.join('?' * len(Event._fields))})"
)
_INSERT_APPROVAL = (
    f"INSERT OR REPLACE INTO approvals ({', '.join(Approval._fields)})"
    f" VALUES ({', '.join('?' * len(Approval._fields))})"
)
_INSERT_CHANGE = "INSERT OR IGNORE INTO feed (id, type, session_id, run_id, timestamp, data) VALUES (?, ?, ?, ?, ?, ?)"
# Of what stays on its machine.
_FOLD_STATE = json.dumps({"unknown_lines": {}, "unreadable_lines": 0})


def write_sessions(connection: apsw.Connection, rows: Iterable[RecordedRow]) -> None:
    defaults = _defaults(connection)
    for row in rows:
        # No process of this machine is meant by a pid of another one.
        place = {"host": host(row.machine_id), "boot_id": None}
        values = {**defaults, **{name: encode_value(name, row.row[name]) for name in COLUMNS if name in row.row}}
        values |= place
        connection.execute(_UPSERT, [values[name] for name in COLUMNS])


def host(machine_id: str | None) -> str:
    """Return the host of the sessions of another machine, which is never the name of this one."""
    return f"machine {machine_id}"


def _defaults(connection: apsw.Connection) -> dict[str, Any]:
    """Return a value for each column of a session; the record may not have it."""
    defaults: dict[str, Any] = {}
    described: list[Any] = connection.execute("PRAGMA table_info(sessions)").fetchall()
    for _, name, kind, is_required, default, _ in described:
        if not is_required:
            defaults[name] = None
        elif default is not None:
            # As SQL has it.
            defaults[name] = default[1:-1] if default.startswith("'") else json.loads(default)
        else:
            defaults[name] = 0 if kind == "INTEGER" else "[]" if name in JSON_COLUMNS else ""
    return defaults | {"fold_state": _FOLD_STATE}


def write_events(connection: apsw.Connection, events: Iterable[dict[str, Any]]) -> None:
    connection.executemany(_INSERT_EVENT, [[event.get(name) for name in columns.EVENT] for event in events])


def write_approvals(connection: apsw.Connection, approvals: Iterable[dict[str, Any]]) -> None:
    missing = {"hook_pid": 0, "hook_started": 0, "boot_id": "elsewhere", "answered_from": None}
    connection.executemany(
        _INSERT_APPROVAL, [[{**missing, **row}.get(name) for name in Approval._fields] for row in approvals]
    )


def write_changes(connection: apsw.Connection, changes: Sequence[tuple[Any, ...]], *, keeps_ids: bool) -> None:
    """Write changes; without `keeps_ids` with numbers of the replica, since each machine has its own."""
    connection.executemany(_INSERT_CHANGE, [change if keeps_ids else (None, *change[1:]) for change in changes])
