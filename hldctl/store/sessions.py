"""Queries on the table of sessions."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hldctl.states import EndReason, FeedType, Status
from hldctl.store import approvals, events, feed, mcp_servers
from hldctl.store.connection import Parameters, current, execute, insert, transaction
from hldctl.store.feed_writer import Change
from hldctl.store.session import Session, decode_row, encode_value
from hldctl.system.processes import ProcessIdentity

_DELETED_AT_ONCE = 5000
"""Rows."""
_WHERE_IT_RUNS = (
    *("id", "host", "pid", "pid_started", "supervisor_pid", "boot_id", "completed_at"),
    *("on_end", "retries", "wait_for_reset"),
)
"""And what it may still have to start there."""


_PROGRESS = (
    *("id", "name", "working_dir", "status", "end_reason", "error_message", "created_at", "started_at"),
    *("duration_ms", "num_turns", "cost_usd", "effective_context_tokens", "context_window", "extra_arguments"),
)


def create(session: dict[str, Any], query_event: dict[str, Any], servers: list[dict[str, Any]]) -> None:
    """The row, its MCP servers and its first event, the user's query, together."""
    run_id, now = session["run_id"], session["created_at"]
    with transaction():
        insert("sessions", {name: encode_value(name, value) for name, value in session.items()})
        mcp_servers.create(session["id"], servers)
        events.add(query_event)
        said = {"sequence": 1, "event_type": query_event["event_type"], "role": query_event["role"]}
        feed.publish(
            [
                _status_change(session["id"], run_id, None, session["status"], now),
                (FeedType.CONVERSATION_UPDATED, session["id"], run_id, now, said),
            ]
        )


def _update(session_id: str, columns: dict[str, Any]) -> None:
    assignments = ", ".join(f"{name} = ?" for name in columns)
    values = (encode_value(name, value) for name, value in columns.items())
    execute(f"UPDATE sessions SET {assignments} WHERE id = ?", (*values, session_id))


def _status_change(session_id: str, run_id: str, old: str | None, new: str, now: int, **more: Any) -> Change:
    data = {"old_status": old, "new_status": str(new), **more}
    return (FeedType.SESSION_STATUS_CHANGED, session_id, run_id, now, data)


def _change_status(session_id: str, new: Status, now: int, columns: dict[str, Any], **more: Any) -> bool:
    """Within a transaction: sets the status and publishes it; False if the session has ended or is not there."""
    row = execute("SELECT status, run_id FROM sessions WHERE id = ? AND completed_at IS NULL", (session_id,)).fetchone()
    if row is None:
        return False
    _update(session_id, {"status": str(new), **columns})
    if row[0] != new:
        feed.publish([_status_change(session_id, row[1], row[0], new, now, **more)])
    return True


def get(session_id: str) -> Session | None:
    row = as_row(session_id)
    return None if row is None else Session.from_columns(row)


def as_row(session_id: str) -> dict[str, Any] | None:
    """All columns, as `create` takes them."""
    return next(iter(_rows("SELECT * FROM sessions WHERE id = ?", (session_id,))), None)


def _rows(query: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    cursor = execute(query, parameters)
    found = cursor.fetchone()
    if found is None:
        return []
    names = [column[0] for column in cursor.get_description()]
    return [decode_row(names, row) for row in (found, *cursor)]


def ids_with_prefix(prefix: str, limit: int = 2) -> list[str]:
    """As a range, so that the primary key serves it."""
    return _ids("SELECT id FROM sessions WHERE id >= ? AND id < ? LIMIT ?", prefix, prefix + "\x7f", limit)


def newest_with_name(name: str) -> str | None:
    return next(iter(_ids("SELECT id FROM sessions WHERE name = ? ORDER BY created_at DESC LIMIT 1", name)), None)


def newest() -> str | None:
    return next(iter(_ids("SELECT id FROM sessions ORDER BY rowid DESC LIMIT 1")), None)


def _ids(query: str, *values: Any) -> list[str]:
    return [row[0] for row in execute(query, values)]


OUTCOMES = """
SELECT id, substr(coalesce(error_message, iif(end_reason = 'success', result_content, ''), ''), 1, ?) FROM sessions
WHERE id IN (SELECT value FROM json_each(?)) AND completed_at IS NOT NULL
"""


def outcomes(session_ids: Iterable[str], length: int) -> dict[str, str]:
    """The beginning of what each of these ended with: an error or, of one that has done its work, the result."""
    return dict(execute(OUTCOMES, (length, json.dumps(list(session_ids)))).fetchall())


def unattended(session_ids: Iterable[str]) -> list[Session]:
    """Those of these that need a supervisor: not ended, or with something still to be done after their end.

    With no more than says where they run, and whether they have ended.
    """
    return _where_they_run(session_ids, "(completed_at IS NULL OR on_end_pending = 1)")


def not_ended(session_ids: Iterable[str]) -> list[Session]:
    """Those of these that have not ended, with no more than says where they run."""
    return _where_they_run(session_ids, "completed_at IS NULL")


def _where_they_run(session_ids: Iterable[str], condition: str) -> list[Session]:
    query = (
        f"SELECT {', '.join(_WHERE_IT_RUNS)} FROM sessions WHERE id IN (SELECT value FROM json_each(?)) AND {condition}"
    )
    return [Session.from_columns(row) for row in _rows(query, (json.dumps(list(session_ids)),))]


def to_be_attended() -> list[str]:
    """The ids of all such, by two partial indexes that hold only these."""
    return _ids(
        "SELECT id FROM sessions WHERE completed_at IS NULL UNION ALL"
        # The plus keeps SQLite from the index of all that have ended.
        " SELECT id FROM sessions WHERE on_end_pending = 1 AND +completed_at IS NOT NULL"
    )


def alive() -> list[str]:
    """The ids of those that have not ended, oldest first, by a partial index that holds only these."""
    return _ids("SELECT id FROM sessions WHERE completed_at IS NULL ORDER BY created_at")


def with_right_to_answer(session_ids: Collection[str]) -> set[str]:
    """Those of these that were launched with --from-session."""
    return set(
        _ids(
            "SELECT id FROM sessions WHERE id IN (SELECT value FROM json_each(?)) AND from_session = 1",
            json.dumps(list(session_ids)),
        )
    )


def working_in(directory: str, *, but: str) -> list[str]:
    """Those of this machine that run there, but for one."""
    return _ids(
        "SELECT id FROM sessions WHERE completed_at IS NULL AND working_dir = ? AND host = ? AND id <> ?"
        " AND status NOT IN (?, ?) ORDER BY created_at",
        *(directory, os.uname().nodename, but, str(Status.QUEUED), str(Status.INTERRUPTING)),
    )


def progress(session_ids: Collection[str]) -> dict[str, Session]:
    """How far each has come: what changes while it runs, and what tells it from others."""
    query = f"SELECT {', '.join(_PROGRESS)} FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
    return {row["id"]: Session.from_columns(row) for row in _rows(query, (json.dumps(list(session_ids)),))}


def statuses(session_ids: Collection[str]) -> dict[str, Status]:
    """Of those that exist."""
    marks = ", ".join("?" * len(session_ids))
    rows = execute(f"SELECT id, status FROM sessions WHERE id IN ({marks})", tuple(session_ids))
    return {session_id: Status(status) for session_id, status in rows}


def request_interrupt(session_id: str, now: int, grace_ms: int, reason: EndReason = EndReason.INTERRUPTED) -> bool:
    """Records the intent; False if the session has ended. A second request may change the grace period only."""
    intent = {"interrupt_requested_at": now, "interrupt_grace_ms": grace_ms, "last_activity_at": now}
    with transaction():
        _keep_first(session_id, "stop_reason", str(reason))
        return _change_status(session_id, Status.INTERRUPTING, now, intent)


def _keep_first(session_id: str, column: str, value: Any) -> None:
    """Sets what has not been set before, of a session that has not ended."""
    execute(
        f"UPDATE sessions SET {column} = ? WHERE id = ? AND {column} IS NULL AND completed_at IS NULL",
        (value, session_id),
    )


@dataclass(frozen=True)
class Interrupt:
    requested_at: int
    grace_ms: int
    reason: EndReason


def interrupt_request(session_id: str) -> Interrupt | None:
    row = execute(
        "SELECT interrupt_requested_at, interrupt_grace_ms, stop_reason FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if row is None or row[0] is None:
        return None
    # Of a session that an older version was asked to interrupt nothing more is said.
    return Interrupt(row[0], row[1], EndReason(row[2] or EndReason.INTERRUPTED))


def move_to_host(session_ids: Sequence[str], host: str) -> None:
    """Whatever ran under the pids that are recorded of them, no process of this boot did."""
    with transaction():
        ids = json.dumps(list(session_ids))
        execute("UPDATE sessions SET host = ?, boot_id = '' WHERE id IN (SELECT value FROM json_each(?))", (host, ids))


def supervised_by(session_id: str, pid: int) -> None:
    with transaction():
        execute("UPDATE sessions SET supervisor_pid = ? WHERE id = ?", (pid, session_id))


def leave_queue(session_id: str, now: int) -> bool:
    """Within a transaction; False if the session is to be stopped, or has been."""
    return _change_status(session_id, Status.STARTING, now, {"last_activity_at": now})


def started(session_id: str, process: ProcessIdentity, now: int) -> None:
    """Claude Code runs. An interrupt that came meanwhile keeps its status."""
    identity = {"pid": process.pid, "pid_started": process.started, "boot_id": process.boot_id}
    with transaction():
        row = execute("SELECT status FROM sessions WHERE id = ?", (session_id,)).fetchone()
        begins = row is None or row[0] in (Status.STARTING, Status.QUEUED)
        status = Status.RUNNING if begins else Status(row[0])
        _keep_first(session_id, "started_at", now)
        _change_status(session_id, status, now, identity)


def restart(session_id: str, restarts: list[dict[str, Any]], now: int) -> None:
    """Its Claude Code is gone, and another is to go on; an interrupt that came meanwhile keeps its status."""
    gone = {"pid": None, "pid_started": None, "restarts": restarts}
    with transaction():
        approvals.expire_all(current(), session_id, now, "Claude Code is started again")
        row = execute("SELECT interrupt_requested_at FROM sessions WHERE id = ?", (session_id,)).fetchone()
        status = Status.STARTING if row is None or row[0] is None else Status.INTERRUPTING
        if _change_status(session_id, status, now, gone):
            _close_tool_calls(session_id)


def on_end_done(session_id: str) -> None:
    with transaction():
        _update(session_id, {"on_end_pending": False})


@dataclass(frozen=True)
class Ending:
    """How a session ended."""

    status: Status
    reason: EndReason
    error_message: str | None = None
    exit_code: int | None = None


_LAST_NUMBERS = """
UPDATE sessions SET last_activity_at = max(last_activity_at, :now),
    duration_ms = coalesce(duration_ms, max(0, :now - created_at)), on_end_pending = on_end IS NOT NULL
WHERE id = :id AND completed_at IS NULL
"""


def end(session_id: str, ending: Ending, now: int, left_running: Sequence[ProcessIdentity] = ()) -> None:
    """Decided once: a session that has ended is left as it is. Tool calls left without a result are closed with it.

    The clock may have been set back since the launch: a duration is never negative.
    """
    assert ending.status.has_ended
    outcome = {
        "end_reason": str(ending.reason),
        "error_message": ending.error_message,
        "exit_code": ending.exit_code,
        "completed_at": now,
        "left_running": [(process.pid, process.started) for process in left_running] or None,
    }
    with transaction():
        # First: those who wait for an answer are told before they are told that all is over.
        approvals.expire_all(current(), session_id, now, "the session has ended")
        execute(_LAST_NUMBERS, {"id": session_id, "now": now})
        if _change_status(session_id, ending.status, now, outcome, end_reason=str(ending.reason)):
            _close_tool_calls(session_id)


def refolded(session_id: str, last_activity_at: int) -> None:
    """An ended session's events are there again: its end is once more the last that happened."""
    with transaction():
        activity = "UPDATE sessions SET last_activity_at = max(last_activity_at, ?) WHERE id = ?"
        execute(activity, (last_activity_at, session_id))
        _close_tool_calls(session_id)
        approvals.mark_events(current(), session_id)


def _close_tool_calls(session_id: str) -> None:
    """Of a session that has ended: what has no result gets none any more."""
    execute(
        "UPDATE conversation_events SET is_completed = 1"
        " WHERE session_id = ? AND tool_id IS NOT NULL AND event_type = 'tool_call' AND is_completed = 0",
        (session_id,),
    )


ForgottenRule = tuple[str, tuple[str, str, str]]
"""The id of a rule, and the rule: tool, kind and content."""


def change_settings(
    session_id: str, changes: dict[str, Any], now: int, forgotten_rules: Sequence[ForgottenRule] = ()
) -> None:
    """Settings that can change at any time; `changes` are columns, `forgotten_rules` are deleted."""
    with transaction():
        row = execute("SELECT run_id FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if row is None:
            return
        published = dict(changes)
        if changes:
            _update(session_id, changes)
        if forgotten_rules:
            for _, rule in forgotten_rules:
                approvals.remove_rule(current(), session_id, rule)
            published["forgotten_rules"] = [name for name, _ in forgotten_rules]
        if published:
            feed.publish([(FeedType.SESSION_SETTINGS_CHANGED, session_id, row[0], now, published)])


def ended_before(moment: int, *, keep: int) -> list[str]:
    """Those that had ended by then, but for the newest `keep` of all that have ended; oldest first."""
    return _ids(
        "SELECT id FROM sessions WHERE completed_at <= ? AND on_end_pending = 0 AND id NOT IN"
        " (SELECT id FROM sessions WHERE completed_at IS NOT NULL ORDER BY created_at DESC, rowid DESC LIMIT ?)"
        " ORDER BY completed_at",
        *(moment, keep),
    )


def delete(session_id: str) -> None:
    """With all that belongs to it. The many rows of a long session go in parts, so that nobody waits for long."""
    for table in ("conversation_events", "feed"):
        query = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE session_id = ? LIMIT ?)"
        deleted = _DELETED_AT_ONCE
        while deleted == _DELETED_AT_ONCE:
            with transaction():
                execute(query, (session_id, _DELETED_AT_ONCE))
                deleted = int(execute("SELECT changes()").fetchone()[0])
    with transaction():
        execute("DELETE FROM sessions WHERE id = ?", (session_id,))


def runs() -> list[tuple[str, str]]:
    """The id and the run's id of each."""
    return [(row[0], row[1]) for row in execute("SELECT id, run_id FROM sessions")]


def children(session_id: str) -> list[str]:
    """The sessions that continue it, oldest first."""
    return _ids("SELECT id FROM sessions WHERE parent_session_id = ? ORDER BY created_at", session_id)
