"""Queries on the events of conversations: written by the reducer, read by followers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from hldctl.states import EventType, FeedType
from hldctl.store import approvals, file_snapshots, mcp_servers, messages
from hldctl.store.connection import execute, insert, require_order, transaction
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.messages import Progress
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
"""The columns of an event that the reducer writes, in this order."""

_INSERT = f"INSERT INTO conversation_events ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_COMPLETE = (
    "UPDATE conversation_events SET is_completed = 1 WHERE session_id = ? AND tool_id = ?"
    # So that calls without a permission request need no second statement.
    " RETURNING tool_id, approval_id, approval_status"
)
# Enough to identify the event; its content is one query away and not stored twice.
_FEED_FIELDS = ("sequence", "event_type", "role", "tool_id", "tool_name", "tool_result_for_id", "parent_tool_use_id")
# SQLite builds the JSON from the rows just inserted, at a third of what each line would cost otherwise. Null columns
# are left out.
_OPTIONAL = "".join(f""" || iif({name} IS NULL, '', ',"{name}":' || json_quote({name}))""" for name in _FEED_FIELDS[1:])
_PUBLISH = f"""
INSERT INTO feed (type, session_id, run_id, timestamp, data)
SELECT ?, session_id, ?, ?, '{{"sequence":' || sequence{_OPTIONAL} || '}}'
FROM conversation_events WHERE session_id = ? AND sequence BETWEEN ? AND ? ORDER BY sequence
"""
# A replay of the journal writes the same rows again. Sessions that hldctl did not run are not counted.
_SPEND = """
INSERT INTO spending (session_id, position, spent_at, group_name, rehearsed, cost_usd, is_estimate)
SELECT id, ?, ?, group_name, rehearsed, ?, ? FROM sessions WHERE id = ? AND source IS NULL
ON CONFLICT DO UPDATE SET cost_usd = excluded.cost_usd, is_estimate = excluded.is_estimate
"""
_get_event_type = itemgetter(COLUMNS.index("event_type"))
_SEQUENCE = COLUMNS.index("sequence")


class Step(NamedTuple):
    """The changes that some lines of a journal make."""

    rows: Sequence[Row]
    completed_tools: Sequence[str]
    snapshots: Sequence[SnapshotRow]
    mcp_states: Sequence[tuple[str, str]]
    columns: dict[str, Any]
    """The session's changed columns, including the offset in the journal."""
    decisions: Mapping[str, bool] = MappingProxyType({})
    """Whether each completed tool call was allowed, by its id, as far as the results show it."""
    messages: Sequence[Progress] = ()
    """What Claude Code reported about messages to the session."""
    spent: Sequence[Row] = ()
    """What was spent: the position in the journal, the time, the amount, and whether it is an estimate."""


def record(session_id: str, run_id: str, step: Step, now: int, *, working_dir: str = "", told: int = 0) -> None:
    """Write the changes of some lines and publish them to the feed, in one transaction.

    The feed already has the events up to the sequence number `told`. A new tool call may be the one that a permission
    request is about.
    """
    with transaction() as connection:
        if step.rows:
            connection.executemany(_INSERT, step.rows)
            first, last = max(step.rows[0][_SEQUENCE], told + 1), step.rows[-1][_SEQUENCE]
            connection.execute(_PUBLISH, (str(FeedType.CONVERSATION_UPDATED), run_id, now, session_id, first, last))
            if EventType.TOOL_CALL in map(_get_event_type, step.rows):
                approvals.correlate(connection, session_id, working_dir)
        if step.completed_tools:
            completed = connection.executemany(_COMPLETE, [(session_id, tool) for tool in step.completed_tools])
            recorded = {
                str(tool_use_id): str(status)
                for tool_use_id, approval_id, status in completed
                if approval_id is not None
            }
            approvals.settle(connection, session_id, recorded, step.decisions, now)
        if step.snapshots:
            connection.executemany(file_snapshots.INSERT, step.snapshots)
        if step.mcp_states:
            connection.executemany(mcp_servers.SET_STATUS, [(session_id, *state) for state in step.mcp_states])
        if step.messages:
            progress = [{**each._asdict(), "session_id": session_id} for each in step.messages]
            connection.executemany(messages.APPLY_PROGRESS, progress)
            connection.execute(messages.COUNT_PENDING, (session_id,))
            delivered = [(each.at, each.id) for each in step.messages if (each.sequence or 0) > told]
            connection.executemany(messages.PUBLISH, delivered)
        if step.spent:
            connection.executemany(_SPEND, [(*each, session_id) for each in step.spent])
        assignments = ", ".join(f"{name} = ?" for name in step.columns)
        connection.execute(f"UPDATE sessions SET {assignments} WHERE id = ?", (*step.columns.values(), session_id))


def reset_conversation(query_event: dict[str, Any], fold_state: dict[str, Any]) -> None:
    """Delete the events of a session, except its query, so that its journal is replayed from the beginning."""
    session_id = query_event["session_id"]
    with transaction():
        for table in ("conversation_events", "file_snapshots", "spending"):
            execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))
        add_event(query_event)
        state = encode_value("fold_state", fold_state)
        execute("UPDATE sessions SET journal_offset = 0, fold_state = ? WHERE id = ?", (state, session_id))


def add_event(event: dict[str, Any]) -> None:
    """Insert one event, given by its columns; call it inside a transaction."""
    insert("conversation_events", event)


class Event(NamedTuple):
    """A row of the table. A tuple because followers read many of them."""

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
    """A NoteKind if the event is a note; otherwise None."""


_PAGE_EVENTS = 500
# A page ends after this many characters of text.
_PAGE_CHARACTERS = 1 << 20

CALLED_TOOL = """(SELECT call.tool_name FROM conversation_events AS call
WHERE call.session_id = e.session_id AND call.tool_id = e.tool_result_for_id)"""
"""SQL: the tool of the call that the event `e` belongs to. The name is recorded with the call alone."""
_TOOL_NAME = f"CASE WHEN tool_name IS NULL AND event_type = 'tool_result' THEN {CALLED_TOOL} ELSE tool_name END"
_SELECT = f"""SELECT {", ".join(_TOOL_NAME if name == "tool_name" else name for name in Event._fields)}
FROM conversation_events AS e"""
_SELECT_NEXT = f"""{_SELECT}
WHERE session_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"""


class Page(NamedTuple):
    """Consecutive events; `is_last` if they are the newest."""

    events: list[Event]
    is_last: bool


def events_after(session_id: str, sequence: int) -> Page:
    """Return the next events after `sequence`: at most 500, or fewer if they are long.

    The limits bound a reader's memory, and how long it holds a snapshot of the database: until then, newer changes
    cannot leave the write-ahead log.
    """
    events: list[Event] = []
    length = 0
    for row in execute(_SELECT_NEXT, (session_id, sequence, _PAGE_EVENTS)):
        event = Event._make(row)
        require_order(event.sequence > sequence)
        events.append(event)
        length += len(event.content or "") + len(event.tool_input or "") + len(event.tool_result_content or "")
        if length > _PAGE_CHARACTERS:
            return Page(events, is_last=False)
    return Page(events, is_last=len(events) < _PAGE_EVENTS)


class OutlineEntry(NamedTuple):
    """The parts of an event that an outline needs."""

    sequence: int
    event_type: str
    role: str | None
    beginning: str
    """The first 200 characters of a user message; empty for other events."""
    tool_id: str | None
    tool_name: str | None
    parent_tool_use_id: str | None
    tool_result_for_id: str | None
    is_error: bool
    note_kind: str | None


_BEGINNING_CHARACTERS = 200
_SELECT_OUTLINE = f"""SELECT sequence, event_type, role,
CASE WHEN event_type = 'message' AND role = 'user' THEN substr(content, 1, {_BEGINNING_CHARACTERS}) ELSE '' END,
tool_id, tool_name, parent_tool_use_id, tool_result_for_id, is_error, note_kind
FROM conversation_events WHERE session_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"""
_SELECT_ONE = f"{_SELECT} WHERE session_id = ? AND sequence = ?"


def outline(session_id: str) -> Iterator[OutlineEntry]:
    """Yield all events without their long columns."""
    lines = [OutlineEntry._make(row) for row in execute(_SELECT_OUTLINE, (session_id, 0, _PAGE_EVENTS))]
    while lines:
        require_order(lines[0].sequence <= lines[-1].sequence)
        yield from lines
        last = lines[-1].sequence
        lines = [OutlineEntry._make(row) for row in execute(_SELECT_OUTLINE, (session_id, last, _PAGE_EVENTS))]
        require_order(not lines or lines[-1].sequence > last)


def event_at(session_id: str, sequence: int) -> Event | None:
    """Return the event with this sequence number; None if it does not exist."""
    row = execute(_SELECT_ONE, (session_id, sequence)).fetchone()
    return None if row is None else Event._make(row)


def tool_call(session_id: str, tool_id: str) -> Event | None:
    """Return the tool call with this id; None if it does not exist."""
    query = f"SELECT {', '.join(Event._fields)} FROM conversation_events WHERE session_id = ? AND tool_id = ? LIMIT 1"
    row = execute(query, (session_id, tool_id)).fetchone()
    return None if row is None else Event._make(row)


def oldest_open_call(session_id: str, others: Collection[str | None] = ()) -> int | None:
    """Return when the oldest call that is open or among `others` began, in milliseconds since 1970; None if none."""
    calls = "SELECT min(created_at) FROM conversation_events WHERE session_id = ? AND event_type = 'tool_call'"
    times = [execute(f"{calls} AND is_completed = 0", (session_id,)).fetchone()]
    times += [execute(f"{calls} AND tool_id = ?", (session_id, tool_id)).fetchone() for tool_id in others if tool_id]
    return min((int(time) for (time,) in times if time is not None), default=None)


def last_sequence_before(session_id: str, time_ms: int) -> int:
    """Return the number of the last event before a time in milliseconds since 1970; 0 if there is none."""
    row = execute(
        "SELECT max(sequence) FROM conversation_events WHERE session_id = ? AND created_at < ?", (session_id, time_ms)
    ).fetchone()
    return int(row[0] or 0)


def last_sequence(session_id: str) -> int:
    """Return the highest sequence number among the session's events; 0 if there are none."""
    row = execute("SELECT max(sequence) FROM conversation_events WHERE session_id = ?", (session_id,)).fetchone()
    return int(row[0] or 0)
