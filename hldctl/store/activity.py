"""Queries on running sessions, served by partial indexes."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hldctl.store.connection import execute

LIVE = (
    "SELECT id, name, group_name, status, pid, created_at, started_at, interrupt_requested_at, retries, turn_ended_at,"
    " waiting_for, limit_until, check_command, json_extract(check_state, '$.began_at'),"
    " waiting_budget, after, restarts, background_tasks"
    " FROM sessions WHERE completed_at IS NULL ORDER BY created_at, rowid"
)

# A subagent's calls are left out: the call in the main conversation that started the subagent is reported instead. With
# min() in the query, SQLite takes the other columns from the row that has the minimum.
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


class RunningSession(NamedTuple):
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
    turn_ended_at: int | None
    waiting_for: str | None
    limit_until: int | None
    check_command: str | None
    check_began_at: int | None
    """When the check began that runs; None if none runs."""
    waiting_budget: dict[str, Any] | None
    after: list[dict[str, str]]
    restarts: list[dict[str, Any]]
    background_tasks: list[dict[str, Any]]


class OpenCall(NamedTuple):
    """The oldest of a session's tool calls without a result, and the number of such calls."""

    session_id: str
    tool_name: str | None
    tool_input: str | None
    created_at: int
    calls: int


class LastEvent(NamedTuple):
    """The newest event of a session."""

    session_id: str
    event_type: str
    role: str | None
    created_at: int
    note_kind: str | None
    note: str | None
    """The first 200 characters of a system event; None for other events."""


def running_sessions() -> list[RunningSession]:
    """Return the sessions that have not ended, oldest first."""
    rows = execute(LIVE)
    return [RunningSession._make((*row[:-4], *_decode(*row[-4:]))) for row in rows]


def _decode(waiting_budget: str | None, *lists: str | None) -> list[Any]:
    return [json.loads(waiting_budget or "null"), *(json.loads(value or "[]") for value in lists)]


def oldest_open_calls() -> dict[str, OpenCall]:
    """Return the oldest open tool call of each running session, by session id."""
    return {row[0]: OpenCall(*row[:-1]) for row in execute(OLDEST_OPEN_CALLS)}


def last_events() -> dict[str, LastEvent]:
    """Return the newest event of each running session, by session id."""
    return {row[0]: LastEvent(*row) for row in execute(LAST_EVENTS)}


def last_message(session_id: str) -> str | None:
    """Return Claude's last message in the main conversation; None if there is none."""
    row = execute(LAST_WORDS, (session_id,)).fetchone()
    return None if row is None else str(row[0])
