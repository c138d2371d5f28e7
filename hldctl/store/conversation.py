"""Queries on the conversation: appended by the fold, read by those who follow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import __exception_wrapper__  # type: ignore[attr-defined]  # its stubs leave it out

from hldctl.store.database import execute
from hldctl.store.models import ConversationEvent, database

Row = tuple[Any, ...]

COLUMNS = (
    "session_id",
    "sequence",
    "event_type",
    "role",
    "content",
    "tool_id",
    "tool_name",
    "tool_input",
    "parent_tool_use_id",
    "tool_result_for_id",
    "tool_result_content",
    "is_error",
    "is_completed",
    "created_at",
)
"""What the fold writes of an event, in this order."""

_INSERT = f"INSERT INTO conversation_events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_COMPLETE = "UPDATE conversation_events SET is_completed = 1 WHERE session_id = ? AND tool_id = ?"


def record(session_id: str, rows: Sequence[Row], completed_tools: Sequence[str], columns: dict[str, Any]) -> None:
    """One step of the fold: events, finished tool calls and the session's columns, in one transaction."""
    # The cursor is the driver's own, and so would its errors be.
    with database.atomic("IMMEDIATE"), __exception_wrapper__:
        cursor = database.cursor()
        if rows:
            cursor.executemany(_INSERT, rows)
        if completed_tools:
            cursor.executemany(_COMPLETE, [(session_id, tool) for tool in completed_tools])
        assignments = ", ".join(f"{name} = ?" for name in columns)
        cursor.execute(f"UPDATE sessions SET {assignments} WHERE id = ?", (*columns.values(), session_id))


def after(session_id: str, sequence: int, limit: int) -> list[ConversationEvent]:
    """The next events behind `sequence`."""
    query = ConversationEvent.select().where(
        (ConversationEvent.session_id == session_id) & (ConversationEvent.sequence > sequence)
    )
    return list(query.order_by(ConversationEvent.sequence).limit(limit))


def last_sequence(session_id: str) -> int:
    row = execute("SELECT max(sequence) FROM conversation_events WHERE session_id = ?", (session_id,)).fetchone()
    return int(row[0] or 0)
