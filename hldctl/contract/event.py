"""The JSON objects of a conversation."""

from __future__ import annotations

from typing import Any, TypedDict

from hldctl.contract.timestamp import Timestamp
from hldctl.states import ApprovalStatus, EventType


class EventObject(TypedDict):
    """One event of a conversation."""

    session_id: str
    """The session's id."""
    sequence: int
    """The event's number in the conversation, from 1 without a gap."""
    event_type: EventType
    """The kind of event."""
    role: str | None
    """Who speaks: `user`, `assistant` or `system`; null if the stream does not say."""
    content: str | None
    """The text of a message, of thinking or of a note; null for tool calls and results."""
    tool_id: str | None
    """The id of a tool call; null for any other event."""
    tool_name: str | None
    """The tool of a call or of a result; null for any other event, and for a result whose call is not recorded."""
    tool_input: dict[str, Any] | None
    """The input of a tool call; null for any other event."""
    parent_tool_use_id: str | None
    """The tool call that started the subagent which the event is from; null in the main conversation."""
    tool_result_for_id: str | None
    """The id of the tool call that a result, or a note about a task, belongs to; null for any other event."""
    tool_result_content: str | None
    """The text of a tool result; null for any other event."""
    is_error: bool
    """True for a tool result that reports an error, and for a task that failed."""
    is_completed: bool
    """True for a tool call that has its result."""
    approval_status: ApprovalStatus | None
    """The status of the permission request of a tool call; null if nobody was asked."""
    approval_id: str | None
    """The id of the permission request of a tool call; null if nobody was asked."""
    created_at: Timestamp
    """When Claude Code wrote it."""


class SnapshotObject(TypedDict):
    """The content of a file when the Read tool showed it."""

    session_id: str
    """The session's id."""
    tool_id: str
    """The id of the tool call."""
    file_path: str
    """The file, as the model named it."""
    content: str
    """The text of the file, or of the part that was shown."""
    created_at: Timestamp
    """When the file was shown."""
