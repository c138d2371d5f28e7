"""JSON objects of sessions, events and related rows, as the contract specifies them."""

from __future__ import annotations

from typing import Any

from hldctl.store.admission.predecessors import PredecessorState
from hldctl.store.events import Event
from hldctl.store.feed import FeedEvent
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.mcp_servers import McpServerRow
from hldctl.store.messages import Message
from hldctl.store.session import EXPOSED_COLUMNS, Session
from hldctl.system.clock import format_rfc3339

EVENT_FIELDS = tuple(name for name in Event._fields if name != "note_kind")

FEED_FIELDS = ("id", "type", "session_id", "run_id", "timestamp", "data")

SNAPSHOT_FIELDS = ("session_id", "tool_id", "file_path", "content", "created_at")

MCP_SERVER_FIELDS = ("name", "transport", "command", "url", "env_names", "header_names", "status")

MESSAGE_FIELDS = (
    *("id", "session_id", "text", "status", "created_at", "delivered_at", "sequence"),
    *("answered_at", "answer"),
)

WORKTREE_FIELDS = (
    *("path", "branch", "base", "base_commit", "ahead", "dirty", "files", "insertions", "deletions"),
    *("landed", "kept"),
)

# The database stores them as numbers.
_BOOLEANS = frozenset({"is_error", "is_completed"})

_TIMES = frozenset(
    {
        "created_at",
        "last_activity_at",
        "completed_at",
        "dangerously_skip_permissions_expires_at",
        "timestamp",
        "started_at",
        "delivered_at",
        "limit_until",
        "answered_at",
    },
)


SESSION_COLUMNS = (*EXPOSED_COLUMNS, "check_command", "check_tries", "check_state")
"""The columns that `session_object` needs."""

# Of the type that the template of a line checks for.
_COMPUTED_SAMPLES = {"check": ""}


def session_object(session: Session) -> dict[str, Any]:
    return {name: _value(session, name) for name in EXPOSED_COLUMNS} | {"check": check_object(session)}


def check_object(session: Session) -> dict[str, Any] | None:
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

    samples = {name: "" if name in _TIMES else sample_value(name) for name in EXPOSED_COLUMNS}
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
    shown = {name: worktree.get(name) for name in WORKTREE_FIELDS}
    if landed := worktree.get("landed"):
        shown["landed"] = {name: landed.get(name) for name in ("branch", "commit")}
    return shown


def event_object(event: Event) -> dict[str, Any]:
    return {name: _value(event, name) for name in EVENT_FIELDS}


def feed_object(event: FeedEvent) -> dict[str, Any]:
    return {name: _value(event, name) for name in FEED_FIELDS}


def snapshot_object(snapshot: SnapshotRow) -> dict[str, Any]:
    return {name: _value(snapshot, name) for name in SNAPSHOT_FIELDS}


def mcp_server_object(server: McpServerRow) -> dict[str, Any]:
    return {name: getattr(server, name) for name in MCP_SERVER_FIELDS}


def message_object(message: Message) -> dict[str, Any]:
    return {name: _value(message, name) for name in MESSAGE_FIELDS}


def predecessor_object(predecessor: PredecessorState) -> dict[str, Any]:
    return predecessor._asdict()


def _value(row: Session | Event | FeedEvent | SnapshotRow | Message, name: str) -> Any:
    value = getattr(row, name)
    if name in _TIMES:
        return format_rfc3339(value)
    if name in _BOOLEANS:
        return bool(value)
    if name == "background_tasks":
        return task_objects(value)
    if name == "worktree":
        return worktree_object(value)
    if isinstance(value, tuple):
        return list(value)
    if name == "tool_input" and value is not None:
        import json

        return json.loads(value)
    return value
