"""JSON objects of sessions, events and related rows, as the contract specifies them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hldctl.contract.event import EventObject, SnapshotObject
from hldctl.contract.feed import FeedRowObject
from hldctl.contract.message import MessageObject
from hldctl.contract.session import McpServerObject, PredecessorObject
from hldctl.contract.session_values import CheckObject, LandingObject, WorktreeObject
from hldctl.store.admission.predecessors import PredecessorState
from hldctl.store.events import Event
from hldctl.store.feed import FeedEvent
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.mcp_servers import McpServerRow
from hldctl.store.messages import Message
from hldctl.store.session import EXPOSED_COLUMNS, Session
from hldctl.system.clock import format_rfc3339

# The database stores them as numbers.
_BOOLEANS = frozenset({"is_error", "is_completed"})
# Of an event, a snapshot, a message or an event of the feed; a session's are declared with its columns.
_TIMES = frozenset({"created_at", "delivered_at", "answered_at", "timestamp"})
_SHOWN_AS = {each.name: each.metadata["shown_as"] for each in fields(Session)}

SESSION_COLUMNS = (*EXPOSED_COLUMNS, "check_command", "check_tries", "check_state")
"""The columns that `session_object` needs."""

# Of the type that the template of a line checks for.
_COMPUTED_SAMPLES = {"check": ""}


def session_object(session: Session) -> dict[str, Any]:
    return {name: _session_value(session, name) for name in EXPOSED_COLUMNS} | {"check": check_object(session)}


def _session_value(session: Session, name: str) -> Any:
    value, shown_as = getattr(session, name), _SHOWN_AS[name]
    if shown_as == "Timestamp":
        return format_rfc3339(value)
    if shown_as == "WorktreeObject":
        return worktree_object(value)
    if shown_as == "list[TaskObject]":
        return task_objects(value)
    return list(value) if isinstance(value, tuple) else value


def check_object(session: Session) -> CheckObject | None:
    """Return the check of a session; None if it has none. `passed` is null before its first end, and while it runs."""
    if session.check_command is None:
        return None
    state: dict[str, Any] = session.check_state or {"tries": []}
    ended = [each for each in state["tries"] if each["ended_at"] is not None]
    is_decided = bool(ended) and len(ended) == len(state["tries"])
    return {
        "command": session.check_command,
        "tries": len(ended),
        "max_tries": session.check_tries,
        "passed": ended[-1]["passed"] if is_decided else None,
        "output": state.get("output"),
    }


def session_samples() -> dict[str, Any]:
    """Return a sample value of the right type for each field of a session."""
    from hldctl.store.session_table import sample_value

    samples = {name: "" if _SHOWN_AS[name] == "Timestamp" else sample_value(name) for name in EXPOSED_COLUMNS}
    return samples | _COMPUTED_SAMPLES


def task_objects(tasks: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Return the tasks of a session that run in the background."""
    if tasks is None:
        return None
    return [{**task, "started_at": format_rfc3339(task["started_at"])} for task in tasks]


def worktree_object(worktree: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the worktree of a session; a number is null as long as nobody has counted."""
    if worktree is None:
        return None
    shown = {name: worktree.get(name) for name in WorktreeObject.__annotations__}
    if landed := worktree.get("landed"):
        shown["landed"] = {name: landed.get(name) for name in LandingObject.__annotations__}
    return shown


def event_object(event: Event) -> dict[str, Any]:
    return _row_object(event, EventObject)


def feed_object(event: FeedEvent) -> dict[str, Any]:
    return _row_object(event, FeedRowObject)


def snapshot_object(snapshot: SnapshotRow) -> dict[str, Any]:
    return _row_object(snapshot, SnapshotObject)


def message_object(message: Message) -> dict[str, Any]:
    return _row_object(message, MessageObject)


def mcp_server_object(server: McpServerRow) -> McpServerObject:
    return server._asdict()  # type: ignore[return-value]  # the fields are those of the row


def predecessor_object(predecessor: PredecessorState) -> PredecessorObject:
    return predecessor._asdict()  # type: ignore[return-value]  # the fields are those of the row


def _row_object(row: Event | FeedEvent | SnapshotRow | Message, declared: type) -> dict[str, Any]:
    """Return the fields of the row that the object declares, in this order."""
    return {name: _value(row, name) for name in declared.__annotations__}


def _value(row: Event | FeedEvent | SnapshotRow | Message, name: str) -> Any:
    value = getattr(row, name)
    if name in _TIMES:
        return format_rfc3339(value)
    if name in _BOOLEANS:
        return bool(value)
    if name == "tool_input" and value is not None:
        import json

        return json.loads(value)
    return value
