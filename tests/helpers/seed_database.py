"""Databases with as many sessions as after a day of use, or after years."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from hldctl.ingest.state import ReducerState
from hldctl.paths import StateDirectory
from hldctl.states import EndReason, Status
from hldctl.store.connection import current_connection, transaction
from hldctl.store.database import open_database
from hldctl.store.session_table import SessionTable
from hldctl.system.clock import current_time_ms

# Multiplied by consecutive numbers, it gives IDs that are spread evenly.
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835
_INTERVAL_MS = 60_000
_BATCH_SIZE = 500
_TEXT = "Read the parser, ran the tests, and fixed what failed. " * 4

# A message, a tool call and its result, in turn.
_EVENTS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :events)
INSERT INTO conversation_events (session_id, sequence, event_type, role, content, tool_id, tool_name, tool_input,
    tool_result_for_id, tool_result_content, is_error, is_completed, created_at)
SELECT s.id, n, iif(n % 3 = 1, 'message', iif(n % 3 = 2, 'tool_call', 'tool_result')),
    iif(n % 3 = 0, 'user', 'assistant'), iif(n % 3 = 1, :text, NULL),
    iif(n % 3 = 2, 'toolu_' || n, NULL), iif(n % 3 = 2, 'Bash', NULL), iif(n % 3 = 2, '{"command": "make test"}', NULL),
    iif(n % 3 = 0, 'toolu_' || (n - 1), NULL), iif(n % 3 = 0, :text, NULL), 0, 1, s.created_at + n
FROM sessions s CROSS JOIN numbers WHERE s.id IN (SELECT value FROM json_each(:ids)) ORDER BY s.created_at, n
"""
_FEED = """
INSERT INTO feed (type, session_id, run_id, timestamp, data)
SELECT 'conversation_updated', e.session_id, e.session_id, e.created_at,
    json_object('sequence', e.sequence, 'event_type', e.event_type, 'role', e.role)
FROM sessions s JOIN conversation_events e ON e.session_id = s.id
WHERE s.id IN (SELECT value FROM json_each(:ids)) ORDER BY s.created_at, e.sequence
"""


def seed_sessions(home: Path, sessions: int, events_each: int) -> list[str]:
    """Insert ended sessions with this many events each, and their feed. Return their IDs, the oldest first."""
    ids = [str(UUID(int=number * _SPREAD % (1 << 128))) for number in range(1, sessions + 1)]
    start = current_time_ms() - sessions * _INTERVAL_MS
    with open_database(StateDirectory(home)):
        for first in range(0, sessions, _BATCH_SIZE):
            batch = ids[first : first + _BATCH_SIZE]
            with transaction():
                for number, session_id in enumerate(batch, first):
                    SessionTable.insert(session_row(session_id, start + number * _INTERVAL_MS)).execute()
                current_connection().execute(_EVENTS, {"ids": json.dumps(batch), "events": events_each, "text": _TEXT})
                current_connection().execute(_FEED, {"ids": json.dumps(batch)})
    return ids


def session_row(session_id: str, moment: int) -> dict[str, object]:
    return {
        "id": session_id,
        "run_id": session_id,
        "claude_session_id": session_id,
        "status": str(Status.COMPLETED),
        "end_reason": str(EndReason.SUCCESS),
        "query": f"Fix the failing test number {moment}",
        "summary": f"Fix the failing test number {moment}",
        "model": "opus",
        "model_id": "claude-opus-4-6",
        "working_dir": "/home/someone/project",
        "additional_directories": [],
        "agent_names": [],
        "allowed_tools": [],
        "disallowed_tools": [],
        "fresh_system_prompt": False,
        "extra_arguments": [],
        "auto_accept_edits": False,
        "dangerously_skip_permissions": False,
        "archived": False,
        "created_at": moment,
        "last_activity_at": moment + 50_000,
        "completed_at": moment + 50_000,
        "duration_ms": 50_000,
        "num_turns": 7,
        "cost_usd": 0.25,
        "input_tokens": 1000,
        "output_tokens": 2000,
        "cache_creation_input_tokens": 3000,
        "cache_read_input_tokens": 40_000,
        "effective_context_tokens": 44_000,
        "context_window": 200_000,
        "result_content": _TEXT,
        "permission_denials": [],
        "exit_code": 0,
        "host": "benchmark",
        "claude_path": "/usr/bin/claude",
        "journal_offset": 0,
        "fold_state": ReducerState().as_json(),
    }
