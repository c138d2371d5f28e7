"""Queries on the table of sessions."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, fn

from hldctl.host.processes import ProcessIdentity
from hldctl.states import EndReason, FeedType, Status
from hldctl.store import approvals, feed, mcp_servers
from hldctl.store.changes import Change
from hldctl.store.database import execute
from hldctl.store.models import ConversationEvent, Session, database

_DELETED_AT_ONCE = 5000
"""Rows."""
_WHERE_IT_RUNS = (
    Session.id,
    Session.host,
    Session.pid,
    Session.pid_started,
    Session.supervisor_pid,
    Session.boot_id,
)
_PROGRESS = (
    *("id", "name", "working_dir", "status", "end_reason", "error_message", "created_at", "started_at"),
    *("duration_ms", "num_turns", "cost_usd", "effective_context_tokens", "context_window", "extra_arguments"),
)


def create(session: dict[str, Any], query_event: dict[str, Any], servers: list[dict[str, Any]]) -> None:
    """The row, its MCP servers and its first event, the user's query, together."""
    run_id, now = session["run_id"], session["created_at"]
    with database.atomic("IMMEDIATE"):
        Session.insert(session).execute()
        mcp_servers.create(session["id"], servers)
        ConversationEvent.insert(query_event).execute()
        said = {"sequence": 1, "event_type": query_event["event_type"], "role": query_event["role"]}
        feed.publish(
            [
                _status_change(session["id"], run_id, None, session["status"], now),
                (FeedType.CONVERSATION_UPDATED, session["id"], run_id, now, said),
            ]
        )


def _status_change(session_id: str, run_id: str, old: str | None, new: str, now: int, **more: Any) -> Change:
    data = {"old_status": old, "new_status": str(new), **more}
    return (FeedType.SESSION_STATUS_CHANGED, session_id, run_id, now, data)


def _change_status(session_id: str, new: Status, now: int, columns: dict[str, Any], **more: Any) -> bool:
    """Within a transaction: sets the status and publishes it; False if the session has ended or is not there."""
    row = execute("SELECT status, run_id FROM sessions WHERE id = ? AND completed_at IS NULL", (session_id,)).fetchone()
    if row is None:
        return False
    Session.update(status=str(new), **columns).where(Session.id == session_id).execute()
    if row[0] != new:
        feed.publish([_status_change(session_id, row[1], row[0], new, now, **more)])
    return True


def get(session_id: str) -> Session | None:
    return Session.get_or_none(Session.id == session_id)


def as_row(session_id: str) -> dict[str, Any] | None:
    """All columns, as `create` takes them."""
    query: Any = Session.select().where(Session.id == session_id).dicts()
    return next(iter(query), None)


def ids_with_prefix(prefix: str, limit: int = 2) -> list[str]:
    """As a range, so that the primary key serves it."""
    query = Session.select(Session.id).where((Session.id >= prefix) & (Session.id < prefix + "\x7f"))
    return _ids(query.limit(limit))


def newest_with_name(name: str) -> str | None:
    query = Session.select(Session.id).where(Session.name == name).order_by(Session.created_at.desc()).limit(1)
    return next(iter(_ids(query)), None)


def newest() -> str | None:
    return next(iter(_ids(Session.select(Session.id).order_by(SQL("rowid").desc()).limit(1))), None)


def _ids(query: Any) -> list[str]:
    return [row[0] for row in query.tuples()]


@dataclass(frozen=True)
class Listing:
    """What `ls` asks for."""

    archived: bool = False
    statuses: tuple[Status, ...] = ()
    created_since: int | None = None
    search: str | None = None
    sort: str = "created_at"
    limit: int | None = None
    columns: tuple[str, ...] | None = None
    """All, unless named: queries and results can be long."""


def matching(listing: Listing) -> list[Session]:
    """Newest, or largest, first."""
    query = Session.select(*(getattr(Session, name) for name in listing.columns or ()))
    if not listing.archived:
        query = query.where(Session.archived == False)  # noqa: E712  peewee builds SQL of it
    if listing.statuses:
        query = query.where(Session.status.in_([str(status) for status in listing.statuses]))
    if listing.created_since is not None:
        query = query.where(Session.created_at >= listing.created_since)
    for word in (listing.search or "").split():
        query = query.where(
            Session.title.contains(word) | Session.summary.contains(word) | Session.query.contains(word)
        )
    query = query.order_by(getattr(Session, listing.sort).desc(), SQL("rowid").desc())
    return list(query.limit(listing.limit) if listing.limit is not None else query)


OUTCOMES = """
SELECT id, substr(coalesce(error_message, iif(end_reason = 'success', result_content, ''), ''), 1, ?) FROM sessions
WHERE id IN (SELECT value FROM json_each(?)) AND completed_at IS NOT NULL
"""


def outcomes(session_ids: Iterable[str], length: int) -> dict[str, str]:
    """The beginning of what each of these ended with: an error or, of one that has done its work, the result."""
    return dict(execute(OUTCOMES, (length, json.dumps(list(session_ids)))).fetchall())


def unattended(session_ids: Iterable[str]) -> list[Session]:
    """Those of these that need a supervisor: not ended, or with something still to be done after their end."""
    needs = Session.completed_at.is_null() | (Session.on_end_pending == True)  # noqa: E712  peewee builds SQL of it
    query = Session.select(*_WHERE_IT_RUNS, Session.completed_at)
    return list(query.where(Session.id.in_(list(session_ids)) & needs))


def to_be_attended() -> list[str]:
    """The ids of all such, by two partial indexes that hold only these."""
    rows = execute(
        "SELECT id FROM sessions WHERE completed_at IS NULL UNION ALL"
        # The plus keeps SQLite from the index of all that have ended.
        " SELECT id FROM sessions WHERE on_end_pending = 1 AND +completed_at IS NOT NULL"
    )
    return [row[0] for row in rows]


def alive() -> list[str]:
    """The ids of those that have not ended, oldest first, by a partial index that holds only these."""
    query = Session.select(Session.id).where(Session.completed_at.is_null()).order_by(Session.created_at)
    return _ids(query)


def not_ended(session_ids: Iterable[str]) -> list[Session]:
    """Those of these that have not ended, with no more than says where they run."""
    query = Session.select(*_WHERE_IT_RUNS)
    return list(query.where(Session.id.in_(list(session_ids)) & Session.completed_at.is_null()))


def working_in(directory: str, *, but: str) -> list[str]:
    """Those of this machine that run there, but for one."""
    here = (Session.working_dir == directory) & (Session.host == os.uname().nodename) & (Session.id != but)
    works = Session.status.not_in([Status.QUEUED, Status.INTERRUPTING])
    query = Session.select(Session.id).where(Session.completed_at.is_null() & here & works)
    return _ids(query.order_by(Session.created_at))


def progress(session_ids: Collection[str]) -> dict[str, Session]:
    """How far each has come: what changes while it runs, and what tells it from others."""
    columns = (getattr(Session, name) for name in _PROGRESS)
    return {session.id: session for session in Session.select(*columns).where(Session.id.in_(list(session_ids)))}


def statuses(session_ids: Collection[str]) -> dict[str, Status]:
    """Of those that exist."""
    marks = ", ".join("?" * len(session_ids))
    rows = execute(f"SELECT id, status FROM sessions WHERE id IN ({marks})", tuple(session_ids))
    return {session_id: Status(status) for session_id, status in rows}


def request_interrupt(session_id: str, now: int, grace_ms: int, reason: EndReason = EndReason.INTERRUPTED) -> bool:
    """Records the intent; False if the session has ended. A second request may change the grace period only."""
    intent = {
        "interrupt_requested_at": now,
        "interrupt_grace_ms": grace_ms,
        "last_activity_at": now,
        "stop_reason": fn.coalesce(Session.stop_reason, str(reason)),
    }
    with database.atomic("IMMEDIATE"):
        return _change_status(session_id, Status.INTERRUPTING, now, intent)


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
    with database.atomic("IMMEDIATE"):
        Session.update(host=host).where(Session.id.in_(session_ids)).execute()


def supervised_by(session_id: str, pid: int) -> None:
    with database.atomic("IMMEDIATE"):
        execute("UPDATE sessions SET supervisor_pid = ? WHERE id = ?", (pid, session_id))


def leave_queue(session_id: str, now: int) -> bool:
    """Within a transaction; False if the session is to be stopped, or has been."""
    return _change_status(session_id, Status.STARTING, now, {"last_activity_at": now})


def started(session_id: str, process: ProcessIdentity, now: int) -> None:
    """Claude Code runs. An interrupt that came meanwhile keeps its status."""
    identity = {
        "pid": process.pid,
        "pid_started": process.started,
        "boot_id": process.boot_id,
        "started_at": fn.coalesce(Session.started_at, now),
    }
    with database.atomic("IMMEDIATE"):
        row = execute("SELECT status FROM sessions WHERE id = ?", (session_id,)).fetchone()
        begins = row is None or row[0] in (Status.STARTING, Status.QUEUED)
        status = Status.RUNNING if begins else Status(row[0])
        _change_status(session_id, status, now, identity)


def restart(session_id: str, restarts: list[dict[str, Any]], now: int) -> None:
    """Its Claude Code is gone, and another is to go on; an interrupt that came meanwhile keeps its status."""
    gone = {"pid": None, "pid_started": None, "restarts": restarts}
    with database.atomic("IMMEDIATE"):
        approvals.expire_all(database.connection(), session_id, now, "Claude Code is started again")
        row = execute("SELECT interrupt_requested_at FROM sessions WHERE id = ?", (session_id,)).fetchone()
        status = Status.STARTING if row is None or row[0] is None else Status.INTERRUPTING
        if _change_status(session_id, status, now, gone):
            _close_tool_calls(session_id)


def on_end_done(session_id: str) -> None:
    with database.atomic("IMMEDIATE"):
        Session.update(on_end_pending=False).where(Session.id == session_id).execute()


@dataclass(frozen=True)
class Ending:
    """How a session ended."""

    status: Status
    reason: EndReason
    error_message: str | None = None
    exit_code: int | None = None


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
        "last_activity_at": fn.max(Session.last_activity_at, now),
        "duration_ms": fn.coalesce(Session.duration_ms, fn.max(0, now - Session.created_at)),
        "left_running": [(process.pid, process.started) for process in left_running] or None,
        "on_end_pending": Session.on_end.is_null(False),
    }
    with database.atomic("IMMEDIATE"):
        # First: those who wait for an answer are told before they are told that all is over.
        approvals.expire_all(database.connection(), session_id, now, "the session has ended")
        if _change_status(session_id, ending.status, now, outcome, end_reason=str(ending.reason)):
            _close_tool_calls(session_id)


def refolded(session_id: str, last_activity_at: int) -> None:
    """An ended session's events are there again: its end is once more the last that happened."""
    with database.atomic("IMMEDIATE"):
        activity = fn.max(Session.last_activity_at, last_activity_at)
        Session.update(last_activity_at=activity).where(Session.id == session_id).execute()
        _close_tool_calls(session_id)
        approvals.mark_events(database.connection(), session_id)


def _close_tool_calls(session_id: str) -> None:
    """Of a session that has ended: what has no result gets none any more."""
    execute(
        "UPDATE conversation_events SET is_completed = 1"
        " WHERE session_id = ? AND tool_id IS NOT NULL AND event_type = 'tool_call' AND is_completed = 0",
        (session_id,),
    )


def change_settings(session_id: str, changes: dict[str, Any], now: int) -> None:
    """Settings that can change at any time; `changes` are columns."""
    with database.atomic("IMMEDIATE"):
        row = execute("SELECT run_id FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if row is not None:
            Session.update(**changes).where(Session.id == session_id).execute()
            feed.publish([(FeedType.SESSION_SETTINGS_CHANGED, session_id, row[0], now, changes)])


def ended_before(moment: int, *, keep: int) -> list[str]:
    """Those that had ended by then, but for the newest `keep` of all that have ended; oldest first."""
    newest = Session.select(Session.id).where(Session.completed_at.is_null(False))
    newest = newest.order_by(Session.created_at.desc(), SQL("rowid").desc()).limit(keep)
    done = Session.on_end_pending == False  # noqa: E712  peewee builds SQL of it
    query = Session.select(Session.id).where((Session.completed_at <= moment) & Session.id.not_in(newest) & done)
    return _ids(query.order_by(Session.completed_at))


def delete(session_id: str) -> None:
    """With all that belongs to it. The many rows of a long session go in parts, so that nobody waits for long."""
    for table in ("conversation_events", "feed"):
        query = f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE session_id = ? LIMIT ?)"
        deleted = _DELETED_AT_ONCE
        while deleted == _DELETED_AT_ONCE:
            with database.atomic("IMMEDIATE"):
                execute(query, (session_id, _DELETED_AT_ONCE))
                deleted = int(execute("SELECT changes()").fetchone()[0])
    with database.atomic("IMMEDIATE"):
        execute("DELETE FROM sessions WHERE id = ?", (session_id,))


def children(session_id: str) -> list[str]:
    """The sessions that continue it, oldest first."""
    query = Session.select(Session.id).where(Session.parent_session_id == session_id)
    return _ids(query.order_by(Session.created_at))
