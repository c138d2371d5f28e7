"""What the record has of a session, an event and a request: the columns of the local tables, by name.

Environment values, settings, MCP servers, arguments for Claude Code and processes stay on the machine.
"""

from __future__ import annotations

from hldctl.store import json_view
from hldctl.store.approvals import Approval
from hldctl.store.events import Event

TEXTS = (
    *("query", "summary", "system_prompt", "append_system_prompt", "custom_instructions", "result_content"),
    *("error_message", "permission_denials", "background_tasks", "check_command", "check_state", "on_end"),
    *("json_schema", "structured_output"),
)
"""The columns of a session that hold what somebody wrote or said; the record gets them only if all is shared."""

ROW = (
    *(name for name in json_view.SESSION_COLUMNS if name not in TEXTS),
    *("requested_model", "approvals", "was_queued", "turn_ended_at", "restarts", "waiting_budget"),
    *("timeout_ms", "idle_timeout_ms", "stall_ms", "interrupt_requested_at", "host"),
)
"""The other columns of a session."""

FILTERS = (
    *("parent_session_id", "name", "status", "end_reason", "title", "summary", "query", "working_dir", "group_name"),
    *("model", "archived", "created_at", "last_activity_at", "started_at", "completed_at", "duration_ms", "num_turns"),
    *("cost_usd", "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    "pending_approvals",
)
"""The columns of a session that are columns of the record, too, so that lists can filter and sort by them."""

SEARCHED_CHARACTERS = 1000
"""How much of a query lists can search."""

EVENT = Event._fields
EVENT_TEXTS = ("content", "tool_input", "tool_result_content")

APPROVAL = tuple(
    name for name in Approval._fields if name not in ("hook_pid", "hook_started", "boot_id", "answered_from")
)
APPROVAL_TEXTS = ("tool_input", "suggested_rule", "comment", "answer")
