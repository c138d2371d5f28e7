"""Queries on permission requests and their answers, without peewee: the permission hook has no time to load it.

Functions that write must be called inside a transaction that began with BEGIN IMMEDIATE.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import apsw

from hldctl.states import ASKING_TOOLS, ENDED, ApprovalKind, ApprovalStatus, FeedType, Status
from hldctl.store import feed_writer


class Approval(NamedTuple):
    """A row. `answer` is the decision sent to Claude Code, `answered_by` a person or a rule."""

    id: str
    session_id: str
    run_id: str
    tool_use_id: str | None
    tool_name: str
    tool_input: str
    suggested_rule: str | None
    status: str
    comment: str | None
    answer: str | None
    answered_by: str | None
    created_at: int
    responded_at: int | None
    hook_pid: int
    hook_started: int
    boot_id: str
    answered_from: str | None = None
    """A JSON object that describes the process that answered; None unless a command gave the answer."""

    @property
    def kind(self) -> ApprovalKind:
        """What the request asks the user for."""
        return ASKING_TOOLS.get(self.tool_name, ApprovalKind.PERMISSION)


class SessionSettings(NamedTuple):
    """The current settings of a session that decide a request."""

    run_id: str
    status: str
    working_dir: str
    additional_directories: str
    """A JSON array."""
    approvals: int
    auto_accept_edits: int
    dangerously_skip_permissions: int
    dangerously_skip_permissions_expires_at: int | None
    approval_timeout_ms: int | None
    approval_timeout_allows: int | None
    question_timeout_ms: int | None
    question_timeout_takes_first: int | None
    on_approval: str | None
    launched_within: str | None


ANOTHER_HOOK = "another hook"
"""`answered_by` of a request that a hook of the user or of the project decided."""

_COLUMNS = ", ".join(Approval._fields)
_INSERT = f"INSERT INTO approvals ({_COLUMNS}) VALUES ({', '.join('?' * len(Approval._fields))})"
_SETTINGS = f"SELECT {', '.join(SessionSettings._fields)} FROM sessions WHERE id = ?"


def approval_object(approval: Approval) -> dict[str, Any]:
    """Return the JSON object that the contract specifies for an approval."""
    # Imported here: a hook that answers by a rule does not need them.
    from hldctl.contract.approval import StoredApprovalObject
    from hldctl.system.clock import format_rfc3339

    columns = {name: getattr(approval, name) for name in StoredApprovalObject.__annotations__}
    columns |= {name: format_rfc3339(columns[name]) for name in ("created_at", "responded_at")}
    return columns | {"tool_input": json.loads(approval.tool_input), "answered_from": origin(approval)}


def origin(approval: Approval) -> dict[str, Any] | None:
    """Return the process of the command that gave the answer; None if no command did."""
    process: dict[str, Any] | None = None if approval.answered_from is None else json.loads(approval.answered_from)
    return process


def settings(connection: apsw.Connection, session_id: str) -> SessionSettings | None:
    """Return the session's current settings; None if the session does not exist."""
    row = connection.execute(_SETTINGS, (session_id,)).fetchone()
    return None if row is None else SessionSettings._make(row)


def rules(connection: apsw.Connection, session_id: str) -> list[tuple[str, str, str]]:
    """Return the tool, kind and content of each rule that allows calls for the rest of the session."""
    query = "SELECT tool_name, kind, content FROM approval_rules WHERE session_id = ? ORDER BY rowid"
    return [(str(tool), str(kind), str(content)) for tool, kind, content in connection.execute(query, (session_id,))]


def add_rule(connection: apsw.Connection, session_id: str, rule: tuple[str, str, str]) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO approval_rules (session_id, tool_name, kind, content) VALUES (?, ?, ?, ?)",
        (session_id, *rule),
    )


def remove_rule(connection: apsw.Connection, session_id: str, rule: tuple[str, str, str]) -> None:
    connection.execute(
        "DELETE FROM approval_rules WHERE session_id = ? AND tool_name = ? AND kind = ? AND content = ?",
        (session_id, *rule),
    )


def get(connection: apsw.Connection, approval_id: str) -> Approval | None:
    """Return the approval with this id; None if it does not exist."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM approvals WHERE id = ?", (approval_id,)).fetchone()
    return None if row is None else Approval._make(row)


def ids_with_prefix(connection: apsw.Connection, prefix: str) -> list[str]:
    """Return at most two ids with this prefix: two are enough to see that it is ambiguous."""
    query = "SELECT id FROM approvals WHERE id >= ? AND id < ? LIMIT 2"
    return [row[0] for row in connection.execute(query, (prefix, prefix + "\x7f"))]


def input_sha256(tool_input: str) -> str:
    """Return the SHA-256 of a call's input in hexadecimal digits; an answer from elsewhere names its call by it."""
    # Imported here: the permission hook has no time to load it.
    import hashlib

    return hashlib.sha256(tool_input.encode("utf-8", "surrogatepass")).hexdigest()


def pending_approvals(connection: apsw.Connection, session_id: str | None = None) -> list[Approval]:
    """Return the pending requests of one session or of all, oldest first."""
    condition, parameters = ("AND session_id = ?", (session_id,)) if session_id is not None else ("", ())
    query = f"SELECT {_COLUMNS} FROM approvals WHERE status = 'pending' {condition} ORDER BY created_at, rowid"
    return [Approval._make(row) for row in connection.execute(query, parameters)]


def call_approval(connection: apsw.Connection, session_id: str, tool_use_id: str) -> Approval | None:
    """Return the request about this tool call; None if there is none, or its call is not known yet."""
    query = f"SELECT {_COLUMNS} FROM approvals WHERE session_id = ? AND tool_use_id = ?"
    row = connection.execute(query, (session_id, tool_use_id)).fetchone()
    return None if row is None else Approval._make(row)


def interrupting_denial(connection: apsw.Connection, session_id: str, tool_use_id: str, tool_name: str) -> str | None:
    """Return the message of the denial of this call if it also interrupted the session; None if there is none."""
    # The call of a request is found when the call is recorded, which may happen together with its result.
    row = connection.execute(
        "SELECT answer ->> 'message' FROM approvals WHERE session_id = ? AND tool_name = ? AND status = ?"
        " AND answer ->> 'interrupt' = 1 AND coalesce(tool_use_id, ?) = ? ORDER BY created_at DESC LIMIT 1",
        (session_id, tool_name, str(ApprovalStatus.DENIED), tool_use_id, tool_use_id),
    ).fetchone()
    return None if row is None else str(row[0])


def session_approvals(connection: apsw.Connection, session_id: str) -> list[Approval]:
    """Return all requests of a session, oldest first."""
    query = f"SELECT {_COLUMNS} FROM approvals WHERE session_id = ? ORDER BY created_at, rowid"
    return [Approval._make(row) for row in connection.execute(query, (session_id,))]


def newest_approvals(connection: apsw.Connection, limit: int, before: int = 2**63 - 1) -> list[Approval]:
    """Return the newest requests of all sessions, the oldest of them first; `before` is an exclusive rowid."""
    query = f"SELECT {_COLUMNS} FROM approvals WHERE rowid < ? ORDER BY rowid DESC LIMIT ?"
    return [Approval._make(row) for row in connection.execute(query, (before, limit))][::-1]


def record_request(connection: apsw.Connection, approval: Approval, working_dir: str) -> bool:
    """Record a request, already answered or not, find the tool call that it is about, and publish it to the feed.

    Return False without recording anything if the session has ended.
    """
    current = settings(connection, approval.session_id)
    if current is None or current.status in ENDED:
        return False
    connection.execute(_INSERT, approval)
    data = {"approval_id": approval.id, "tool_name": approval.tool_name}
    session_id, run_id = approval.session_id, approval.run_id
    feed_writer.publish(connection, [(FeedType.NEW_APPROVAL, session_id, run_id, approval.created_at, data)])
    if approval.status != ApprovalStatus.PENDING:
        _publish_resolved(connection, approval)
    correlate(connection, session_id, working_dir)
    refresh_session(connection, session_id, approval.created_at)
    return True


def resolve(
    connection: apsw.Connection,
    approval_id: str,
    status: ApprovalStatus,
    *,
    now: int,
    answered_by: str,
    answer: str | None = None,
    comment: str | None = None,
    answered_from: str | None = None,
) -> bool:
    """Answer or expire a request. Return False if it was resolved before; of several concurrent calls one succeeds."""
    connection.execute(
        "UPDATE approvals SET status = ?, answer = ?, comment = ?, answered_by = ?, answered_from = ?, responded_at = ?"
        " WHERE id = ? AND status = 'pending'",
        (str(status), answer, comment, answered_by, answered_from, now, approval_id),
    )
    if not connection.changes():
        return False
    _publish_answer(connection, approval_id, now)
    return True


def settle(
    connection: apsw.Connection, session_id: str, recorded: Mapping[str, str], decisions: Mapping[str, bool], now: int
) -> None:
    """Correct the recorded status of requests whose calls have a result, which proves the decision.

    Claude Code runs all hooks at once and takes the first decision. It terminates the others only when the call has
    ended (2.1.331), so a request that another hook decided may by then be pending, expired or answered without effect.
    `recorded` maps the id of each call with a request to the recorded status, `decisions` maps each call to whether it
    was allowed.
    """
    statuses = {True: ApprovalStatus.APPROVED, False: ApprovalStatus.DENIED}
    decided = {tool_use_id: statuses[decisions[tool_use_id]] for tool_use_id in recorded if tool_use_id in decisions}
    contradicted = [tool_use_id for tool_use_id, status in decided.items() if recorded[tool_use_id] != status]
    for tool_use_id in contradicted:
        approval = call_approval(connection, session_id, tool_use_id)
        # The exchange for another call may have settled this one, too.
        if approval is None or approval.status == decided[tool_use_id]:
            continue
        if not _exchange_calls(connection, approval, decided[tool_use_id], contradicted):
            _correct(connection, approval, decided[tool_use_id], now)


def waited_ms(connection: apsw.Connection, session_id: str, tool_use_id: str) -> int:
    """Return how many milliseconds a call waited for permission; 0 if it needed none."""
    query = "SELECT sum(responded_at - created_at) FROM approvals WHERE session_id = ? AND tool_use_id = ?"
    row = connection.execute(query, (session_id, tool_use_id)).fetchone()
    return int((row and row[0]) or 0)


def _exchange_calls(
    connection: apsw.Connection, approval: Approval, status: ApprovalStatus, contradicted: Collection[str]
) -> bool:
    """Exchange the calls of two requests if the answer to the other one explains the result; return whether it does.

    Equal calls get the requests in their order, which may differ from the order of the hooks.
    """
    query = (
        f"SELECT {_COLUMNS} FROM approvals WHERE session_id = ? AND tool_name = ? AND tool_input = ? AND status = ?"
        " AND tool_use_id IN (SELECT tool_id FROM conversation_events WHERE session_id = ? AND event_type = 'tool_call'"
        " AND tool_name = ? AND (is_completed = 0 OR tool_id IN (SELECT value FROM json_each(?)))) LIMIT 1"
    )
    session_id, tool_name = approval.session_id, approval.tool_name
    open_too = json.dumps(list(contradicted))
    row = connection.execute(
        query, (session_id, tool_name, approval.tool_input, str(status), session_id, tool_name, open_too)
    ).fetchone()
    if row is None:
        return False
    other = Approval._make(row)
    for request, tool_use_id in ((approval, other.tool_use_id), (other, approval.tool_use_id)):
        connection.execute("UPDATE approvals SET tool_use_id = ? WHERE id = ?", (tool_use_id, request.id))
        _mark_event(connection, request._replace(tool_use_id=tool_use_id))
    return True


def _correct(connection: apsw.Connection, approval: Approval, status: ApprovalStatus, now: int) -> None:
    comment = f"{approval.status} by {approval.answered_by} without effect" if approval.answer is not None else None
    connection.execute(
        "UPDATE approvals SET status = ?, comment = ?, answered_by = ?, answered_from = NULL, responded_at = ?"
        " WHERE id = ?",
        (str(status), comment, ANOTHER_HOOK, now, approval.id),
    )
    _publish_answer(connection, approval.id, now)


def _publish_answer(connection: apsw.Connection, approval_id: str, now: int) -> None:
    resolved = get(connection, approval_id)
    assert resolved is not None
    _publish_resolved(connection, resolved)
    _mark_event(connection, resolved)
    refresh_session(connection, resolved.session_id, now)


def expire_all(connection: apsw.Connection, session_id: str, now: int, comment: str) -> None:
    """Expire all pending requests of a session: its hooks no longer wait for an answer."""
    expired = ApprovalStatus.EXPIRED
    for approval in pending_approvals(connection, session_id):
        resolve(connection, approval.id, expired, now=now, answered_by="the session's end", comment=comment)


def correlate(connection: apsw.Connection, session_id: str, working_dir: str) -> None:
    """Find the tool calls of requests that have none yet.

    A request does not name its call, and either may be recorded first. Equal calls get one request each, in order.
    """
    query = f"SELECT {_COLUMNS} FROM approvals WHERE session_id = ? AND tool_use_id IS NULL ORDER BY created_at, rowid"
    for row in connection.execute(query, (session_id,)).fetchall():
        approval = Approval._make(row)
        calls = connection.execute(
            "SELECT tool_id, tool_input FROM conversation_events WHERE session_id = ? AND event_type = 'tool_call'"
            " AND tool_name = ? AND is_completed = 0 AND tool_id IS NOT NULL AND approval_id IS NULL ORDER BY sequence",
            (session_id, approval.tool_name),
        ).fetchall()
        requested = json.loads(approval.tool_input)
        for tool_id, tool_input in calls:
            if is_same_input(json.loads(str(tool_input)), requested, working_dir):
                connection.execute("UPDATE approvals SET tool_use_id = ? WHERE id = ?", (tool_id, approval.id))
                _mark_event(connection, approval._replace(tool_use_id=str(tool_id)))
                break


def is_same_input(called: Any, requested: Any, working_dir: str) -> bool:
    """Return whether a request is about that call: Claude Code 2.1.330 makes paths absolute in it and adds defaults."""
    if not isinstance(called, dict) or not isinstance(requested, dict):
        return bool(called == requested)
    return all(
        name in requested and (requested[name] == value or _is_same_path(value, requested[name], working_dir))
        for name, value in called.items()
    )


def _is_same_path(path: Any, absolute: Any, working_dir: str) -> bool:
    if not isinstance(path, str) or not isinstance(absolute, str):
        return False
    return os.path.normpath(os.path.join(working_dir, os.path.expanduser(path))) == absolute


def mark_events(connection: apsw.Connection, session_id: str) -> None:
    """Set the approval columns of the session's tool calls, after their events were written again."""
    for approval in session_approvals(connection, session_id):
        _mark_event(connection, approval)


def _mark_event(connection: apsw.Connection, approval: Approval) -> None:
    if approval.tool_use_id is not None:
        connection.execute(
            "UPDATE conversation_events SET approval_status = ?, approval_id = ?"
            " WHERE session_id = ? AND tool_id = ? AND event_type = 'tool_call'",
            (approval.status, approval.id, approval.session_id, approval.tool_use_id),
        )


def _publish_resolved(connection: apsw.Connection, approval: Approval) -> None:
    data = {
        "approval_id": approval.id,
        "tool_name": approval.tool_name,
        "status": approval.status,
        "comment": approval.comment,
        "answered_by": approval.answered_by,
        "answered_from": origin(approval),
    }
    timestamp = approval.responded_at or approval.created_at
    feed_writer.publish(
        connection, [(FeedType.APPROVAL_RESOLVED, approval.session_id, approval.run_id, timestamp, data)]
    )


def refresh_session(connection: apsw.Connection, session_id: str, now: int) -> None:
    """Update the number of pending requests of a session, and the status that follows from it."""
    waiting = len(pending_approvals(connection, session_id))
    row = connection.execute("SELECT status, run_id FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        return
    old, run_id = row
    new = old
    if waiting and old in (Status.STARTING, Status.RUNNING):
        new = str(Status.WAITING_INPUT)
    elif not waiting and old == Status.WAITING_INPUT:
        new = str(Status.RUNNING)
    connection.execute("UPDATE sessions SET pending_approvals = ?, status = ? WHERE id = ?", (waiting, new, session_id))
    if new != old:
        data = {"old_status": old, "new_status": new}
        feed_writer.publish(connection, [(FeedType.SESSION_STATUS_CHANGED, session_id, run_id, now, data)])
