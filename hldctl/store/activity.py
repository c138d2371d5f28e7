"""What the sessions that have not ended are at: a few rows each, found by indexes that hold no more than these."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hldctl.store.connection import execute

LIVE = (
    "SELECT id, name, group_name, status, pid, created_at, started_at, interrupt_requested_at, retries, restarts"
    " FROM sessions WHERE completed_at IS NULL ORDER BY created_at, rowid"
)

# Of a subagent's calls the main conversation's own is told, which has them done. Beside min() SQLite gives the other
# columns of the row that has it.
OLDEST_OPEN_CALLS = """
SELECT session_id, tool_name, tool_input, created_at, count(*), min(sequence) FROM conversation_events
WHERE session_id IN (SELECT id FROM sessions WHERE completed_at IS NULL)
  AND event_type = 'tool_call' AND is_completed = 0 AND parent_tool_use_id IS NULL
GROUP BY session_id
"""

LAST_EVENTS = """
SELECT event.session_id, event.event_type, event.role, event.created_at,
       event.note_kind, CASE event.event_type WHEN 'system' THEN substr(event.content, 1, 200) END
FROM sessions CROSS JOIN conversation_events AS event
  ON event.session_id = sessions.id
  AND event.sequence = (SELECT max(sequence) FROM conversation_events WHERE session_id = sessions.id)
WHERE sessions.completed_at IS NULL
"""

LAST_WORDS = """
SELECT content FROM conversation_events
WHERE session_id = ? AND event_type = 'message' AND role = 'assistant' AND parent_tool_use_id IS NULL AND content != ''
ORDER BY sequence DESC LIMIT 1
"""


class Live(NamedTuple):
    """A session that has not ended. Times are milliseconds since 1970."""

    id: str
    name: str | None
    group: str | None
    status: str
    pid: int | None
    created_at: int
    started_at: int | None
    interrupt_requested_at: int | None
    retries: int
    restarts: list[dict[str, Any]]


class OpenCall(NamedTuple):
    """The oldest of a session's tool calls without a result, and how many there are."""

    session_id: str
    tool_name: str | None
    tool_input: str | None
    created_at: int
    calls: int


class LastEvent(NamedTuple):
    session_id: str
    event_type: str
    role: str | None
    created_at: int
    note_kind: str | None
    note: str | None
    """What a system event says."""


def live() -> list[Live]:
    """The oldest first."""
    return [Live._make((*row[:-1], json.loads(row[-1] or "[]"))) for row in execute(LIVE)]


def oldest_open_calls() -> dict[str, OpenCall]:
    return {row[0]: OpenCall(*row[:-1]) for row in execute(OLDEST_OPEN_CALLS)}


def last_events() -> dict[str, LastEvent]:
    return {row[0]: LastEvent(*row) for row in execute(LAST_EVENTS)}


def last_words(session_id: str) -> str | None:
    """What Claude said last in the main conversation."""
    row = execute(LAST_WORDS, (session_id,)).fetchone()
    return None if row is None else str(row[0])
