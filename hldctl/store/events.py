"""Queries on the conversation: appended by the fold, read by those who follow it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from hldctl.states import EventType, FeedType
from hldctl.store import approvals, file_snapshots, mcp_servers
from hldctl.store.connection import execute, insert, require_order, transaction
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.session import encode_value

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
    "note_kind",
    "is_completed",
    "created_at",
)
"""What the fold writes of an event, in this order."""

_INSERT = f"INSERT INTO conversation_events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_COMPLETE = (
    "UPDATE conversation_events SET is_completed = 1 WHERE session_id = ? AND tool_id = ?"
    # One statement for the many calls that nobody was asked about.
    " RETURNING tool_id, approval_id, approval_status"
)
_IN_FEED = ("sequence", "event_type", "role", "tool_id", "tool_name", "tool_result_for_id", "parent_tool_use_id")
"""Enough to know what came; the content is one query away and not stored twice."""
# By the database itself, from the rows it has just been given: a third of what each line would cost otherwise. What is
# null is left out.
_OPTIONAL = "".join(f""" || iif({name} IS NULL, '', ',"{name}":' || json_quote({name}))""" for name in _IN_FEED[1:])
_PUBLISH = f"""
INSERT INTO feed (type, session_id, run_id, timestamp, data)
SELECT ?, session_id, ?, ?, '{{"sequence":' || sequence{_OPTIONAL} || '}}'
FROM conversation_events WHERE session_id = ? AND sequence BETWEEN ? AND ? ORDER BY sequence
"""
_type_of = itemgetter(COLUMNS.index("event_type"))
_SEQUENCE = COLUMNS.index("sequence")


@dataclass(frozen=True)
class Step:
    """What some lines of a journal add."""

    rows: Sequence[Row]
    completed_tools: Sequence[str]
    snapshots: Sequence[SnapshotRow]
    mcp_states: Sequence[tuple[str, str]]
    columns: dict[str, Any]
    """Of the session, the place in the journal among them."""
    decisions: Mapping[str, bool] = field(default_factory=dict)
    """Of completed tools: whether they were allowed, as far as the results tell."""


def record(session_id: str, run_id: str, step: Step, now: int, *, working_dir: str = "", told: int = 0) -> None:
    """One step of the fold and its feed, in one transaction; the feed has the events up to `told` already.

    A tool call among them may be one that a permission request waits for.
    """
    with transaction() as connection:
        if step.rows:
            connection.executemany(_INSERT, step.rows)
            first, last = max(step.rows[0][_SEQUENCE], told + 1), step.rows[-1][_SEQUENCE]
            connection.execute(_PUBLISH, (str(FeedType.CONVERSATION_UPDATED), run_id, now, session_id, first, last))
            if EventType.TOOL_CALL in map(_type_of, step.rows):
                approvals.correlate(connection, session_id, working_dir)
        if step.completed_tools:
            completed = connection.executemany(_COMPLETE, [(session_id, tool) for tool in step.completed_tools])
            asked = {str(tool): str(status) for tool, approval_id, status in completed if approval_id is not None}
            approvals.settle(connection, session_id, asked, step.decisions, now)
        if step.snapshots:
            connection.executemany(file_snapshots.INSERT, step.snapshots)
        if step.mcp_states:
            connection.executemany(mcp_servers.SET_STATUS, [(session_id, *state) for state in step.mcp_states])
        assignments = ", ".join(f"{name} = ?" for name in step.columns)
        connection.execute(f"UPDATE sessions SET {assignments} WHERE id = ?", (*step.columns.values(), session_id))


def begin_anew(query_event: dict[str, Any], fold_state: dict[str, Any]) -> None:
    """Forgets what was folded of a session, all but the query; the journal has it."""
    session_id = query_event["session_id"]
    with transaction():
        for table in ("conversation_events", "file_snapshots"):
            execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
        add(query_event)
        state = encode_value("fold_state", fold_state)
        execute("UPDATE sessions SET journal_offset = 0, fold_state = ? WHERE id = ?", (state, session_id))


def add(event: dict[str, Any]) -> None:
    """Within a transaction: one event, by its columns."""
    insert("conversation_events", event)


class Event(NamedTuple):
    """A row. A tuple: followers ask for the next ones each time that something comes."""

    session_id: str
    sequence: int
    event_type: str
    role: str | None
    content: str | None
    tool_id: str | None
    tool_name: str | None
    tool_input: str | None
    parent_tool_use_id: str | None
    tool_result_for_id: str | None
    tool_result_content: str | None
    is_error: bool
    is_completed: bool
    approval_status: str | None
    approval_id: str | None
    created_at: int
    note_kind: str | None
    """A NoteKind, of a note."""


_PAGE = 500
_PAGE_LENGTH = 1 << 20
"""Characters of text after which a page ends."""

_NEXT = f"""SELECT {", ".join(Event._fields)} FROM conversation_events
WHERE session_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"""


class Page(NamedTuple):
    """Some events; `is_last` if there are no more behind them at present."""

    events: list[Event]
    is_last: bool


def after(session_id: str, sequence: int) -> Page:
    """The next events behind `sequence`: some hundred, or fewer where they are long.

    So that no reader holds all memory, nor for long the state of the database that it reads: what was written since
    could not leave the write-ahead log.
    """
    events: list[Event] = []
    length = 0
    for row in execute(_NEXT, (session_id, sequence, _PAGE)):
        event = Event._make(row)
        require_order(event.sequence > sequence)
        events.append(event)
        length += len(event.content or "") + len(event.tool_input or "") + len(event.tool_result_content or "")
        if length > _PAGE_LENGTH:
            return Page(events, is_last=False)
    return Page(events, is_last=len(events) < _PAGE)


class Line(NamedTuple):
    """What an outline needs of an event."""

    sequence: int
    event_type: str
    role: str | None
    beginning: str
    """Of what a user said; of anything else nothing."""
    tool_id: str | None
    tool_name: str | None
    parent_tool_use_id: str | None
    tool_result_for_id: str | None
    is_error: bool


_BEGINNING = 200
"""Characters."""
_OUTLINE = f"""SELECT sequence, event_type, role,
CASE WHEN event_type = 'message' AND role = 'user' THEN substr(content, 1, {_BEGINNING}) ELSE '' END,
tool_id, tool_name, parent_tool_use_id, tool_result_for_id, is_error
FROM conversation_events WHERE session_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"""
_AT = f"SELECT {', '.join(Event._fields)} FROM conversation_events WHERE session_id = ? AND sequence = ?"


def outline(session_id: str) -> Iterator[Line]:
    """All events without what makes them long."""
    lines = [Line._make(row) for row in execute(_OUTLINE, (session_id, 0, _PAGE))]
    while lines:
        require_order(lines[0].sequence <= lines[-1].sequence)
        yield from lines
        last = lines[-1].sequence
        lines = [Line._make(row) for row in execute(_OUTLINE, (session_id, last, _PAGE))]
        require_order(not lines or lines[-1].sequence > last)


def at(session_id: str, sequence: int) -> Event | None:
    row = execute(_AT, (session_id, sequence)).fetchone()
    return None if row is None else Event._make(row)


def call(session_id: str, tool_id: str) -> Event | None:
    """The tool call with that id."""
    query = f"SELECT {', '.join(Event._fields)} FROM conversation_events WHERE session_id = ? AND tool_id = ? LIMIT 1"
    row = execute(query, (session_id, tool_id)).fetchone()
    return None if row is None else Event._make(row)


def oldest_open_call(session_id: str) -> int | None:
    """When the first of the tool calls began that have no result yet, in milliseconds since 1970."""
    row = execute(
        "SELECT min(created_at) FROM conversation_events"
        " WHERE session_id = ? AND event_type = 'tool_call' AND is_completed = 0",
        (session_id,),
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def last_sequence(session_id: str) -> int:
    row = execute("SELECT max(sequence) FROM conversation_events WHERE session_id = ?", (session_id,)).fetchone()
    return int(row[0] or 0)
