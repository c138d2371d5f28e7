"""The comparison of a record with the local databases that it was copied from."""

from __future__ import annotations

import json
from typing import Any

from hldctl.fleet import columns
from hldctl.states import FeedType
from hldctl.store.session import decode_value
from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox

Rows = dict[Any, Any]


def differences(record: Record, *machines: Sandbox) -> list[str]:
    """Return what is in the record and not on one of the machines, or the reverse, or different."""
    local: dict[str, Rows] = {"sessions": {}, "events": {}, "approvals": {}, "changes": {}}
    for machine in machines:
        for table, rows in local_rows(machine).items():
            local[table] |= rows
    found = []
    for table, rows in recorded_rows(record).items():
        for key in rows.keys() | local[table].keys():
            here, there = local[table].get(key), rows.get(key)
            if here != there:
                found.append(f"{table} {key}: {_difference(here, there)}")
    return found


def _difference(here: Any, there: Any) -> str:
    if isinstance(here, dict) and isinstance(there, dict):
        names = [name for name in here.keys() | there.keys() if here.get(name) != there.get(name)]
        return f"here {[(name, here.get(name)) for name in names]}, there {[(name, there.get(name)) for name in names]}"
    return f"only {'there' if here is None else 'here'}" if here is None or there is None else f"{here} is not {there}"


def local_rows(machine: Sandbox) -> dict[str, Rows]:
    machine_id = machine.state.fleet.machine_id.read_text().strip()
    names = (*columns.ROW, *columns.TEXTS)
    sessions = machine.sql(f"SELECT {', '.join(names)} FROM sessions WHERE NOT private")
    decoded = [{name: decode_value(name, value) for name, value in zip(names, row, strict=True)} for row in sessions]
    events = machine.sql(f"SELECT {', '.join(columns.EVENT)} FROM conversation_events")
    approvals = machine.sql(f"SELECT {', '.join(columns.APPROVAL)} FROM approvals")
    changes = machine.sql(
        "SELECT id, type, session_id, data FROM feed WHERE type <> ? UNION ALL"
        f" SELECT id, '{FeedType.SESSION_DELETED}', session_id, data FROM deletions",
        str(FeedType.CONVERSATION_UPDATED),
    )
    return {
        "sessions": {row["id"]: _as_json(row) for row in decoded},
        "events": {(row[0], row[1]): dict(zip(columns.EVENT, row, strict=True)) for row in events},
        "approvals": {row[0]: dict(zip(columns.APPROVAL, row, strict=True)) for row in approvals},
        "changes": {(machine_id, row[0]): (row[1], row[2], json.loads(row[3])) for row in changes},
    }


def recorded_rows(record: Record) -> dict[str, Rows]:
    sessions = record.rows('SELECT id, "row", texts FROM hldctl.sessions')
    events = record.rows("SELECT session_id, sequence, event FROM hldctl.events")
    approvals = record.rows('SELECT id, "row" FROM hldctl.approvals')
    changes = record.rows("SELECT machine_id, id, type, session_id, data FROM hldctl.changes")
    return {
        "sessions": {row[0]: json.loads(row[1]) | json.loads(row[2]) for row in sessions},
        "events": {(row[0], row[1]): json.loads(row[2]) for row in events},
        "approvals": {row[0]: json.loads(row[1]) for row in approvals},
        "changes": {(row[0], row[1]): (row[2], row[3], json.loads(row[4])) for row in changes},
    }


def _as_json(row: dict[str, Any]) -> Any:
    return json.loads(json.dumps(row))
