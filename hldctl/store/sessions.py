"""Queries on the table of sessions."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from hldctl.states import EndReason, FeedType, Status, WaitReason
from hldctl.store import approvals, events, feed, mcp_servers, messages
from hldctl.store.budgets import launched as launched_budgets
from hldctl.store.connection import Parameters, current_connection, execute, insert, transaction
from hldctl.store.feed_writer import Change
from hldctl.store.session import Session, decode_row, encode_value
from hldctl.system.processes import ProcessIdentity

_DELETE_BATCH_ROWS = 5000
# Where a session runs, and what it may still have to start there.
_RUN_STATE = (
    *("id", "host", "pid", "pid_started", "supervisor_pid", "boot_id", "completed_at"),
    *("on_end", "check_command", "retries", "wait_for_reset"),
)
# A session that runs, or has ended, waits for nothing.
_NOT_HELD = {"waiting_for": None, "limit_until": None, "waiting_budget": None}
_PROGRESS_FIELDS = (
    *(
        "id",
        "name",
        "title",
        "pending_messages",
        "working_dir",
        "status",
        "end_reason",
        "error_message",
        "created_at",
        "started_at",
    ),
    *("completed_at", "duration_ms", "num_turns", "cost_usd", "effective_context_tokens", "context_window"),
    *("extra_arguments", "background_tasks", "turn_ended_at"),
)


def create(session: dict[str, Any], query_event: dict[str, Any], servers: list[dict[str, Any]]) -> None:
    """Insert a session's row, its MCP servers and its first event, which is the user's query."""
    run_id, now = session["run_id"], session["created_at"]
    with transaction():
        insert("sessions", {name: encode_value(name, value) for name, value in session.items()})
        mcp_servers.create(session["id"], servers)
        messages.add_query(session["id"], now)
        events.add_event(query_event)
        event = {"sequence": 1, "event_type": query_event["event_type"], "role": query_event["role"]}
        feed.publish(
            [
                _status_change(session["id"], run_id, None, session["status"], now),
                (FeedType.CONVERSATION_UPDATED, session["id"], run_id, now, event),
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
    """Set the status and publish it; return False if the session has ended or does not exist. Needs a transaction."""
    row = execute("SELECT status, run_id FROM sessions WHERE id = ? AND completed_at IS NULL", (session_id,)).fetchone()
    if row is None:
        return False
    _update(session_id, {"status": str(new), **columns})
    if row[0] != new:
        feed.publish([_status_change(session_id, row[1], row[0], new, now, **more)])
    return True


def get(session_id: str) -> Session | None:
    """Return the session; None if it does not exist."""
    row = get_row(session_id)
    return None if row is None else Session.from_columns(row)


def get_row(session_id: str) -> dict[str, Any] | None:
    """Return all columns of a session in the form that `create` takes; None if it does not exist."""
    return next(iter(_rows("SELECT * FROM sessions WHERE id = ?", (session_id,))), None)


def _rows(query: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    cursor = execute(query, parameters)
    first = cursor.fetchone()
    if first is None:
        return []
    names = [column[0] for column in cursor.get_description()]
    return [decode_row(names, row) for row in (first, *cursor)]


def ids_with_prefix(prefix: str, limit: int = 2) -> list[str]:
    """Return at most `limit` ids with this prefix; the query is a range so that it uses the primary key."""
    return _ids("SELECT id FROM sessions WHERE id >= ? AND id < ? LIMIT ?", prefix, prefix + "\x7f", limit)


def id_with_name(name: str) -> str | None:
    """Return the id of the session with this name: one that runs, else the newest queued one, else the newest."""
    query = (
        "SELECT id FROM sessions WHERE name = ?"
        " ORDER BY completed_at IS NOT NULL, status = 'queued', created_at DESC, rowid DESC LIMIT 1"
    )
    return next(iter(_ids(query, name)), None)


def id_with_conversation(conversation_id: str) -> str | None:
    """Return the id of the oldest session that has this conversation of Claude Code; None if there is none."""
    query = "SELECT id FROM sessions WHERE claude_session_id = ? OR id = ? ORDER BY created_at, rowid LIMIT 1"
    return next(iter(_ids(query, conversation_id, conversation_id)), None)


def newest_id() -> str | None:
    """Return the id of the newest session; None without sessions."""
    return next(iter(_ids("SELECT id FROM sessions ORDER BY rowid DESC LIMIT 1")), None)


def _ids(query: str, *values: Any) -> list[str]:
    return [row[0] for row in execute(query, values)]


OUTCOMES = """
SELECT id, substr(coalesce(error_message, iif(end_reason = 'success', result_content, ''), ''), 1, ?) FROM sessions
WHERE id IN (SELECT value FROM json_each(?)) AND completed_at IS NOT NULL
"""


def outcomes(session_ids: Iterable[str], length: int) -> dict[str, str]:
    """Return the first `length` characters of the error, or of the result, of each of these sessions that has ended."""
    return dict(execute(OUTCOMES, (length, json.dumps(list(session_ids)))).fetchall())


def needing_supervisor(session_ids: Iterable[str]) -> list[Session]:
    """Return those of these sessions that need a supervisor: they have not ended, or their `on_end` has not been run.

    Only the columns that say where a session runs, and whether it has ended, are read.
    """
    return _read_process_columns(session_ids, "(completed_at IS NULL OR on_end_pending = 1)")


def live_sessions(session_ids: Iterable[str]) -> list[Session]:
    """Return those of these sessions that have not ended, with the same columns as `unattended`."""
    return _read_process_columns(session_ids, "completed_at IS NULL")


def live_with_pids(pids: Iterable[int]) -> list[Session]:
    """Return the sessions that have not ended, and whose Claude Code or supervisor has one of these pids."""
    wanted = json.dumps(list(pids))
    query = (
        f"SELECT {', '.join(_RUN_STATE)} FROM sessions WHERE completed_at IS NULL"
        " AND (pid IN (SELECT value FROM json_each(?)) OR supervisor_pid IN (SELECT value FROM json_each(?)))"
    )
    return [Session.from_columns(row) for row in _rows(query, (wanted, wanted))]


def _read_process_columns(session_ids: Iterable[str], condition: str) -> list[Session]:
    query = f"SELECT {', '.join(_RUN_STATE)} FROM sessions WHERE id IN (SELECT value FROM json_each(?)) AND {condition}"
    return [Session.from_columns(row) for row in _rows(query, (json.dumps(list(session_ids)),))]


def ids_needing_supervisor() -> list[str]:
    """Return the ids of all sessions that need a supervisor, by two partial indexes that hold only these."""
    return _ids(
        "SELECT id FROM sessions WHERE completed_at IS NULL UNION ALL"
        # The plus keeps SQLite from using the index of all ended sessions.
        " SELECT id FROM sessions WHERE on_end_pending = 1 AND +completed_at IS NOT NULL"
    )


def live_ids() -> list[str]:
    """Return the ids of the sessions that have not ended, oldest first, by a partial index that holds only these."""
    return _ids("SELECT id FROM sessions WHERE completed_at IS NULL ORDER BY created_at")


def ids_in_turn() -> list[str]:
    """Return the ids of the sessions whose Claude Code works on a turn or waits for an answer in it, oldest first."""
    return _ids(
        "SELECT id FROM sessions WHERE completed_at IS NULL AND status IN (?, ?) ORDER BY created_at",
        Status.RUNNING,
        Status.WAITING_INPUT,
    )


def ids_with_right_to_answer(session_ids: Collection[str]) -> set[str]:
    """Return the ids of those of these sessions that were launched with --from-session."""
    return set(
        _ids(
            "SELECT id FROM sessions WHERE id IN (SELECT value FROM json_each(?)) AND from_session = 1",
            json.dumps(list(session_ids)),
        )
    )


def live_in_directory(directory: str, *, exclude: str) -> list[Session]:
    """Return the sessions that run in a directory on this machine, except one, with the columns that say how."""
    rows = _rows(
        "SELECT id, name, pid, pid_started, boot_id, extra_arguments FROM sessions WHERE completed_at IS NULL"
        " AND working_dir = ? AND host = ? AND id <> ? AND status NOT IN (?, ?) ORDER BY created_at",
        (directory, os.uname().nodename, exclude, str(Status.QUEUED), str(Status.INTERRUPTING)),
    )
    return [Session.from_columns(row) for row in rows]


def progress(session_ids: Collection[str]) -> dict[str, Session]:
    """Return the columns that change while a session runs, and those that identify it, by session id."""
    query = f"SELECT {', '.join(_PROGRESS_FIELDS)} FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
    return {row["id"]: Session.from_columns(row) for row in _rows(query, (json.dumps(list(session_ids)),))}


def background_tasks(session_id: str) -> list[dict[str, Any]]:
    """Return the tasks of a session that run in the background, as objects."""
    row = execute("SELECT background_tasks FROM sessions WHERE id = ?", (session_id,)).fetchone()
    tasks: list[dict[str, Any]] = json.loads((row and row[0]) or "[]")
    return tasks


def statuses(session_ids: Collection[str]) -> dict[str, Status]:
    """Return the status of each of these sessions that exists, by session id."""
    marks = ", ".join("?" * len(session_ids))
    rows = execute(f"SELECT id, status FROM sessions WHERE id IN ({marks})", tuple(session_ids))
    return {session_id: Status(status) for session_id, status in rows}


def request_interrupt(session_id: str, now: int, grace_ms: int, reason: EndReason = EndReason.INTERRUPTED) -> bool:
    """Record a request to interrupt a session; return False if it has ended.

    A later request keeps the first reason, except that of a stall, after which the session may continue.
    """
    intent = {"interrupt_requested_at": now, "interrupt_grace_ms": grace_ms, "last_activity_at": now}
    with transaction():
        if reason is not EndReason.STALLED:
            forget_stall(session_id)
        _set_if_null(session_id, "stop_reason", str(reason))
        return _change_status(session_id, Status.INTERRUPTING, now, intent)


def _set_if_null(session_id: str, column: str, value: Any) -> None:
    """Set a column if it is null and the session has not ended."""
    execute(
        f"UPDATE sessions SET {column} = ? WHERE id = ? AND {column} IS NULL AND completed_at IS NULL",
        (value, session_id),
    )


def forget_stall(session_id: str) -> None:
    """Withdraw the request to stop a session because of a stall, if there is one. Needs a transaction."""
    execute(
        "UPDATE sessions SET stop_reason = NULL, interrupt_requested_at = NULL, interrupt_grace_ms = NULL"
        " WHERE id = ? AND stop_reason = ? AND completed_at IS NULL",
        (session_id, str(EndReason.STALLED)),
    )


class Interrupt(NamedTuple):
    """A request to interrupt a session; `requested_at` is in milliseconds since 1970."""

    requested_at: int
    grace_ms: int
    reason: EndReason


def interrupt_request(session_id: str) -> Interrupt | None:
    """Return the request to interrupt a session; None if there is none."""
    row = execute(
        "SELECT interrupt_requested_at, interrupt_grace_ms, stop_reason FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if row is None or row[0] is None:
        return None
    # Older versions recorded no reason.
    return Interrupt(row[0], row[1], EndReason(row[2] or EndReason.INTERRUPTED))


def move_to_host(session_ids: Sequence[str], host: str) -> None:
    """Move sessions to this host. Their recorded pids are invalid then, so the boot id is cleared."""
    with transaction():
        ids = json.dumps(list(session_ids))
        execute("UPDATE sessions SET host = ?, boot_id = '' WHERE id IN (SELECT value FROM json_each(?))", (host, ids))


def set_supervisor_pid(session_id: str, pid: int) -> None:
    """Record the pid of the session's supervisor."""
    with transaction():
        execute("UPDATE sessions SET supervisor_pid = ? WHERE id = ?", (pid, session_id))


def leave_queue(session_id: str, now: int) -> bool:
    """Set the status to starting; return False if the session has ended. Needs a transaction."""
    return _change_status(session_id, Status.STARTING, now, {"last_activity_at": now, **_NOT_HELD})


def set_waiting_for(
    session_id: str, reason: WaitReason, *, limit_until: int | None = None, budget: dict[str, Any] | None = None
) -> None:
    """Record what a queued session waits for. Needs a transaction.

    `limit_until` is until when, if its account says so; `budget` is the budget that it waits for, if it is one.
    """
    _update(session_id, {"waiting_for": str(reason), "limit_until": limit_until, "waiting_budget": budget})


def mark_started(session_id: str, process: ProcessIdentity, now: int) -> None:
    """Record that Claude Code runs. A session that was interrupted in between keeps its status."""
    identity = {"pid": process.pid, "pid_started": process.started, "boot_id": process.boot_id}
    with transaction():
        row = execute("SELECT status FROM sessions WHERE id = ?", (session_id,)).fetchone()
        is_starting = row is None or row[0] in (Status.STARTING, Status.QUEUED)
        status = Status.RUNNING if is_starting else Status(row[0])
        _set_if_null(session_id, "started_at", now)
        _change_status(session_id, status, now, identity)


def mark_idle(session_id: str, now: int) -> None:
    """Record that a session that is kept open waits for a message, which frees its slot."""
    with transaction():
        row = execute("SELECT status FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if row is not None and row[0] in (Status.STARTING, Status.RUNNING):
            _change_status(session_id, Status.IDLE, now, {})


def wake(session_id: str, now: int) -> None:
    """Record that an idle session works again. Needs a transaction."""
    _change_status(session_id, Status.RUNNING, now, {"last_activity_at": now})


def mark_restarting(session_id: str, restarts: list[dict[str, Any]], now: int) -> None:
    """Record that Claude Code has exited and will be started again. An interrupted session keeps its status."""
    columns = {"pid": None, "pid_started": None, "restarts": restarts}
    with transaction():
        # What is kept open and was closed by the user remains closed.
        execute("UPDATE sessions SET is_closing = 0 WHERE id = ? AND keep_open = 0", (session_id,))
        approvals.expire_all(current_connection(), session_id, now, "Claude Code is started again")
        forget_stall(session_id)
        row = execute("SELECT interrupt_requested_at FROM sessions WHERE id = ?", (session_id,)).fetchone()
        status = Status.STARTING if row is None or row[0] is None else Status.INTERRUPTING
        if _change_status(session_id, status, now, columns):
            _close_tool_calls(session_id)
        messages.requeue_undelivered(session_id)


def add_found_messages(session_id: str, found: Sequence[dict[str, str]]) -> None:
    """Add messages to the last restart, after which the conversation gets them. Needs a transaction."""
    session = get(session_id)
    if not found or session is None or not session.restarts:
        return
    *earlier, last = session.restarts
    _update(session_id, {"restarts": [*earlier, {**last, "messages": [*last.get("messages", []), *found]}]})


def mark_on_end_done(session_id: str) -> None:
    """Record that the session's `on_end` has been run."""
    with transaction():
        _update(session_id, {"on_end_pending": False})


class Ending(NamedTuple):
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
    """Record how a session ended, and close its open tool calls. A session that has ended already is not changed.

    The clock may have been set back since the launch; the duration is never negative.
    """
    assert ending.status.has_ended
    outcome = {
        "end_reason": str(ending.reason),
        "error_message": ending.error_message,
        "exit_code": ending.exit_code,
        "completed_at": now,
        **_NOT_HELD,
        "left_running": [(process.pid, process.started) for process in left_running] or None,
    }
    with transaction():
        # First, so that the feed reports expired requests and cancelled messages before the end of the session.
        approvals.expire_all(current_connection(), session_id, now, "the session has ended")
        messages.cancel_undelivered(session_id, now)
        execute(_LAST_NUMBERS, {"id": session_id, "now": now})
        if _change_status(session_id, ending.status, now, outcome, end_reason=str(ending.reason)):
            _close_tool_calls(session_id)


def mark_replayed(session_id: str, last_activity_at: int) -> None:
    """Correct an ended session after its journal was replayed: its end is its last activity, all calls are closed."""
    with transaction():
        # After the loss of the database, nothing shows whether the query was delivered.
        messages.cancel_undelivered(session_id, last_activity_at)
        activity = "UPDATE sessions SET last_activity_at = max(last_activity_at, ?) WHERE id = ?"
        execute(activity, (last_activity_at, session_id))
        _close_tool_calls(session_id)
        approvals.mark_events(current_connection(), session_id)


def _close_tool_calls(session_id: str) -> None:
    """Mark all open tool calls of a session as completed: they will not get a result."""
    execute(
        "UPDATE conversation_events SET is_completed = 1"
        " WHERE session_id = ? AND tool_id IS NOT NULL AND event_type = 'tool_call' AND is_completed = 0",
        (session_id,),
    )


ForgottenRule = tuple[str, tuple[str, str, str]]
"""The id of a rule, and its tool, kind and content."""


def change_settings(
    session_id: str, changes: dict[str, Any], now: int, forgotten_rules: Sequence[ForgottenRule] = ()
) -> None:
    """Change settings of a session at any time: set the columns in `changes`, and delete `forgotten_rules`."""
    with transaction():
        row = execute("SELECT run_id FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if row is None:
            return
        published = {"model" if name == "requested_model" else name: value for name, value in changes.items()}
        if changes:
            _update(session_id, changes)
        if forgotten_rules:
            for _, rule in forgotten_rules:
                approvals.remove_rule(current_connection(), session_id, rule)
            published["forgotten_rules"] = [name for name, _ in forgotten_rules]
        if published:
            feed.publish([(FeedType.SESSION_SETTINGS_CHANGED, session_id, row[0], now, published)])


def ids_ended_before(end_ms: int, *, keep: int) -> list[str]:
    """Return the ids of sessions that ended at or before `end_ms`, in milliseconds since 1970, oldest first.

    The newest `keep` of all ended sessions are left out.
    """
    return _ids(
        "SELECT id FROM sessions WHERE completed_at <= ? AND on_end_pending = 0 AND id NOT IN"
        " (SELECT id FROM sessions WHERE completed_at IS NOT NULL ORDER BY created_at DESC, rowid DESC LIMIT ?)"
        " ORDER BY completed_at",
        *(end_ms, keep),
    )


def delete(session_id: str, now: int | None = None, *, leaves_tombstone: bool = False) -> None:
    """Delete a session and all its rows, in batches so that other writers do not wait long.

    `now` is the time of the event in the feed, in milliseconds since 1970; None for a deletion without an event.
    `leaves_tombstone` records that the fleet's record has to forget the session as well.
    """
    for table in ("conversation_events", "feed"):
        query = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE session_id = ? LIMIT ?)"
        deleted = _DELETE_BATCH_ROWS
        while deleted == _DELETE_BATCH_ROWS:
            with transaction():
                execute(query, (session_id, _DELETE_BATCH_ROWS))
                deleted = int(execute("SELECT changes()").fetchone()[0])
    with transaction():
        row = execute("SELECT run_id, status, name, private FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if row is not None and now is not None:
            is_private = bool(row[3])
            # So that the link to the fleet's record does not send this event either.
            data = {"status": row[1], "name": row[2]} | ({"private": True} if is_private else {})
            event = (FeedType.SESSION_DELETED, session_id, row[0], now, data)
            if leaves_tombstone and not is_private:
                execute("INSERT OR REPLACE INTO tombstones VALUES (?, ?)", (session_id, now))
            feed.publish_deletion(event)
        launched_budgets.keep_spending(session_id)
        execute("DELETE FROM sessions WHERE id = ?", (session_id,))


def count() -> int:
    """Return the number of all sessions."""
    return int(execute("SELECT count(*) FROM sessions").fetchone()[0])


def count_live_private() -> int:
    """Return the number of private sessions that have not ended."""
    return int(execute("SELECT count(*) FROM sessions WHERE completed_at IS NULL AND private").fetchone()[0])


def run_ids() -> list[tuple[str, str]]:
    """Return the id and the run id of each session."""
    return [(row[0], row[1]) for row in execute("SELECT id, run_id FROM sessions")]


def children(session_id: str) -> list[str]:
    """Return the ids of the sessions that continue it, oldest first."""
    return _ids("SELECT id FROM sessions WHERE parent_session_id = ? ORDER BY created_at", session_id)


def live_descendants(session_ids: Iterable[str]) -> list[str]:
    """Return the ids of the sessions launched within these, at all levels, that have not ended, oldest first."""
    return _ids(
        "SELECT id FROM sessions WHERE completed_at IS NULL AND EXISTS (SELECT 1 FROM json_each(launchers)"
        " WHERE value IN (SELECT value FROM json_each(?))) ORDER BY created_at",
        json.dumps(list(session_ids)),
    )


def launched(session_id: str) -> list[str]:
    """Return the ids of the sessions that its commands launched or continued, oldest first."""
    return _ids("SELECT id FROM sessions WHERE launched_by = ? ORDER BY created_at", session_id)
