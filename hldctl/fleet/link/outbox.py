"""What the record does not have yet, read from the local database.

SQLite has one writer, so the ids of the feed are in the order of the commits: the feed is a list of what to send. What
its rows name is read as it is now. Each transaction that changes an event or a request also writes such a row; the
columns of a session that change without one are read again at intervals.

Of private sessions nothing is read, and others do not name them.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NamedTuple

from hldctl.config.fleet import Share
from hldctl.fleet import columns
from hldctl.states import ENDED, EndReason, FeedType, Status
from hldctl.store import feed
from hldctl.store.approvals import Approval, input_sha256
from hldctl.store.connection import execute, transaction
from hldctl.store.feed import FeedEvent
from hldctl.store.session import decode_row

BATCH_ROWS = 1000
# Characters of events in one batch, as far as one row of the feed allows.
_MAX_CHARACTERS = 8 << 20
# A record that is restored from a copy of this age does not get removed sessions back.
_TOMBSTONES_KEPT_MS = 30 * 86_400_000

# After these, tool calls without a result count as completed.
_CLOSING = frozenset({*map(str, ENDED), str(Status.STARTING), str(Status.INTERRUPTING)})
_APPROVAL_TYPES = frozenset({FeedType.NEW_APPROVAL, FeedType.APPROVAL_RESOLVED})
_EVENT_COLUMNS = ", ".join(columns.EVENT)
_SESSION_COLUMNS = (*columns.ROW, *columns.TEXTS)
# Columns that name another session.
_RELATIVES = ("parent_session_id", "launched_by")
# Of these sessions, private ones; those that were deleted are known for a month.
_PRIVATE = """
SELECT id FROM sessions WHERE private AND id IN (SELECT value FROM json_each(?1))
UNION SELECT session_id FROM deletions WHERE data ->> 'private' AND session_id IN (SELECT value FROM json_each(?1))
"""


class EventRow(NamedTuple):
    session_id: str
    sequence: int
    event: str
    """JSON."""


class ApprovalRow(NamedTuple):
    id: str
    session_id: str
    status: str
    created_at: int
    input_sha256: str
    row: str
    """JSON."""


class SessionRow(NamedTuple):
    id: str
    created_at: int
    has_ended: bool
    filters: tuple[Any, ...]
    row: str
    """JSON."""
    texts: str | None
    """JSON; None if texts are not shared."""


class Batch(NamedTuple):
    """Consecutive rows of the feed, and all that they name."""

    last_id: int
    sessions: list[SessionRow]
    events: list[EventRow]
    approvals: list[ApprovalRow]
    changes: list[FeedEvent]
    removed: list[str]
    """The sessions that the record has to forget."""
    is_full: bool
    """True if more follows."""

    def without(self, session_ids: Collection[str]) -> Batch:
        """Return the batch without these sessions."""
        return self._replace(
            sessions=[session for session in self.sessions if session.id not in session_ids],
            events=[event for event in self.events if event.session_id not in session_ids],
            approvals=[approval for approval in self.approvals if approval.session_id not in session_ids],
            changes=[change for change in self.changes if change.session_id not in session_ids],
        )


def can_wait(after: int) -> bool:
    """Return whether there is something after this row of the feed, but only events, and few of them."""
    query = (
        "SELECT count(*) BETWEEN 1 AND ? AND total(type <> ?) = 0 AND NOT EXISTS (SELECT 1 FROM deletions WHERE id > ?)"
        " FROM (SELECT type FROM feed WHERE id > ? ORDER BY id LIMIT ?)"
    )
    values = (BATCH_ROWS - 1, str(FeedType.CONVERSATION_UPDATED), after, after, BATCH_ROWS)
    return bool(execute(query, values).fetchall()[0][0])


def read_batch(after: int, share: Share) -> Batch | None:
    """Return what comes after this row of the feed; None if nothing does."""
    page = feed.feed_after(after, BATCH_ROWS)
    if not page:
        return None
    is_full = len(page) == BATCH_ROWS
    while len(page) > 1 and _characters(page) > _MAX_CHARACTERS:
        page, is_full = page[: len(page) // 2], True
    private = _private_ids({change.session_id for change in page})
    shown = [change for change in page if change.session_id not in private]
    changes = [change for change in shown if change.type != FeedType.CONVERSATION_UPDATED]
    deleted = [change.session_id for change in changes if change.type == FeedType.SESSION_DELETED]
    by_session: dict[str, list[FeedEvent]] = {}
    for change in shown:
        by_session.setdefault(change.session_id, []).append(change)
    found = read_sessions(by_session, share)
    alive = {session.id for session in found}
    events, approvals = list[EventRow](), list[ApprovalRow]()
    for session_id, session_changes in by_session.items():
        if session_id in alive:
            tool_ids = _tool_ids(session_changes)
            requests = _approvals(session_id, session_changes, tool_ids)
            tool_ids |= {request.tool_use_id for request in requests if request.tool_use_id is not None}
            approvals += [_approval_row(request, share) for request in requests]
            if share is not Share.STATUS:
                events += _events(session_id, session_changes, tool_ids, share)
    return Batch(page[-1].id, found, events, approvals, changes, _tombstones(deleted), is_full)


def has_live_session() -> bool:
    return bool(execute("SELECT 1 FROM sessions WHERE completed_at IS NULL LIMIT 1").fetchall())


def live_ids() -> list[str]:
    """Return the ids of the sessions that have not ended, without private ones."""
    return [row[0] for row in execute("SELECT id FROM sessions WHERE completed_at IS NULL AND NOT private").fetchall()]


def missing_ids(session_ids: list[str]) -> list[str]:
    """Return those of these sessions that the local database does not have."""
    query = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM sessions WHERE id = value)"
    return [row[0] for row in execute(query, (json.dumps(session_ids),)).fetchall()]


def live_counts() -> dict[str, int]:
    """Return how many sessions have each status, of those that have not ended and are not private."""
    query = "SELECT status, count(*) FROM sessions WHERE completed_at IS NULL AND NOT private GROUP BY status"
    return dict(execute(query).fetchall())


def removed_ids() -> list[str]:
    """Return the ids of the sessions that have a tombstone."""
    query = "SELECT session_id FROM tombstones WHERE session_id NOT IN (SELECT id FROM sessions WHERE id = session_id)"
    return [row[0] for row in execute(query).fetchall()]


def delete_old_tombstones(now: int) -> None:
    """Delete the tombstones that no copy of the record needs any more; call it after they were sent."""
    with transaction():
        execute("DELETE FROM tombstones WHERE deleted_at < ?", (now - _TOMBSTONES_KEPT_MS,)).fetchall()


def read_sessions(session_ids: Collection[str], share: Share) -> list[SessionRow]:
    """Return these sessions as the record has them, without those that do not exist, and private ones."""
    query = (
        f"SELECT {', '.join(_SESSION_COLUMNS)} FROM sessions"
        " WHERE NOT private AND id IN (SELECT value FROM json_each(?))"
    )
    rows = execute(query, (json.dumps(list(session_ids)),)).fetchall()
    found = [decode_row(_SESSION_COLUMNS, row) for row in rows]
    _remove_private_names(found)
    return [_session_row(values, share) for values in found]


def _private_ids(session_ids: Collection[str]) -> set[str]:
    """Return those of these sessions that are private."""
    return {row[0] for row in execute(_PRIVATE, (json.dumps(list(session_ids)),)).fetchall()}


def _remove_private_names(sessions: list[dict[str, Any]]) -> None:
    """Remove the private sessions that these were continued from, launched by, or started after."""
    named = {values[name] for values in sessions for name in _RELATIVES} - {None}
    named |= {each["id"] for values in sessions for each in values["after"] or ()}
    private = _private_ids(named) if named else set[str]()
    for values in sessions:
        for name in _RELATIVES:
            if values[name] in private:
                values[name] = None
        if values["after"]:
            values["after"] = [each for each in values["after"] if each["id"] not in private]
        # The message names the session at fault, which may be one before those.
        if values["end_reason"] == EndReason.DEPENDENCY_FAILED and _has_private():
            values["error_message"] = "A session that this one was to start after did not complete."


def _has_private() -> bool:
    query = "SELECT 1 FROM sessions WHERE private UNION ALL SELECT 1 FROM deletions WHERE data ->> 'private' LIMIT 1"
    return bool(execute(query).fetchall())


def _session_row(values: dict[str, Any], share: Share) -> SessionRow:
    filters = {name: values[name] for name in columns.FILTERS}
    filters["query"] = values["query"][: columns.SEARCHED_CHARACTERS]
    texts = None
    if share is Share.ALL:
        texts = json.dumps({name: values[name] for name in columns.TEXTS})
    else:
        filters |= {"query": "", "summary": ""}
    row = json.dumps({name: values[name] for name in columns.ROW})
    copies = tuple(_storable(value) for value in filters.values())
    return SessionRow(values["id"], values["created_at"], values["completed_at"] is not None, copies, row, texts)


def _storable(value: Any) -> Any:
    """Return a text without what PostgreSQL's texts cannot hold: NUL, and halves of surrogate pairs."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _characters(page: list[FeedEvent]) -> int:
    """Return how long the events are that the rows of the feed name."""
    names = [(each.session_id, each.data["sequence"]) for each in page if each.type == FeedType.CONVERSATION_UPDATED]
    query = (
        "SELECT total(length(content)) + total(length(tool_input)) + total(length(tool_result_content))"
        " FROM json_each(?) AS named JOIN conversation_events"
        " ON session_id = named.value ->> 0 AND sequence = named.value ->> 1"
    )
    return int(execute(query, (json.dumps(names),)).fetchall()[0][0])


def _tool_ids(changes: list[FeedEvent]) -> set[str]:
    """Return the ids of tool calls that were made, or got their result."""
    ids = {change.data.get(name) for change in changes for name in ("tool_id", "tool_result_for_id")}
    return {tool_id for tool_id in ids if tool_id is not None}


def _events(session_id: str, changes: list[FeedEvent], tool_ids: set[str], share: Share) -> list[EventRow]:
    """Return the new events of a session, and those that were changed: tool calls."""
    sequences = [each.data["sequence"] for each in changes if each.type == FeedType.CONVERSATION_UPDATED]
    select = f"SELECT {_EVENT_COLUMNS} FROM conversation_events WHERE session_id = ?"
    rows: dict[int, tuple[Any, ...]] = {}
    found: list[tuple[Any, ...]] = []
    if sequences:
        found += execute(f"{select} AND sequence BETWEEN ? AND ?", (session_id, min(sequences), max(sequences)))
    if tool_ids:
        calls = f"{select} AND event_type = 'tool_call' AND tool_id IN (SELECT value FROM json_each(?))"
        found += execute(calls, (session_id, json.dumps(list(tool_ids))))
    if any(map(_closes_calls, changes)):
        found += execute(
            f"{select} AND event_type = 'tool_call' AND tool_id IS NOT NULL AND tool_id NOT IN (SELECT"
            # Read once; for each call, it would take the square of the time.
            " tool_result_for_id FROM conversation_events WHERE session_id = ? AND tool_result_for_id IS NOT NULL)",
            (session_id, session_id),
        )
    rows = {row[1]: row for row in found}
    return [EventRow(session_id, sequence, _event_json(rows[sequence], share)) for sequence in sorted(rows)]


def _closes_calls(change: FeedEvent) -> bool:
    """Return whether the tool calls without a result count as completed since this change."""
    is_first_start = change.data.get("old_status") in (None, str(Status.QUEUED))
    return change.data.get("new_status") in _CLOSING and not is_first_start


def _event_json(row: tuple[Any, ...], share: Share) -> str:
    values = dict(zip(columns.EVENT, row, strict=True))
    if share is not Share.ALL:
        values |= {name: None for name in columns.EVENT_TEXTS if values[name] is not None}
    return json.dumps(values)


def _approvals(session_id: str, changes: list[FeedEvent], tool_ids: set[str]) -> list[Approval]:
    """Return the requests of a session that are new, were answered, or belong to one of these tool calls."""
    ids = [change.data["approval_id"] for change in changes if change.type in _APPROVAL_TYPES]
    if not ids and not tool_ids:
        return []
    query = (
        f"SELECT {', '.join(Approval._fields)} FROM approvals WHERE session_id = ?"
        " AND (id IN (SELECT value FROM json_each(?)) OR tool_use_id IN (SELECT value FROM json_each(?)))"
    )
    rows = execute(query, (session_id, json.dumps(ids), json.dumps(list(tool_ids)))).fetchall()
    return [Approval._make(row) for row in rows]


def _approval_row(approval: Approval, share: Share) -> ApprovalRow:
    values = {name: getattr(approval, name) for name in columns.APPROVAL}
    if share is not Share.ALL:
        values |= {**dict.fromkeys(columns.APPROVAL_TEXTS), "tool_input": "{}"}
    digest = input_sha256(approval.tool_input)
    return ApprovalRow(
        approval.id, approval.session_id, approval.status, approval.created_at, digest, json.dumps(values)
    )


def _tombstones(session_ids: list[str]) -> list[str]:
    """Return those of these deleted sessions that have a tombstone: a session that was pruned stays in the record."""
    query = "SELECT session_id FROM tombstones WHERE session_id IN (SELECT value FROM json_each(?))"
    return [row[0] for row in execute(query, (json.dumps(session_ids),)).fetchall()] if session_ids else []
