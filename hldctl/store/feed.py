"""The feed: one row for each change, written in the transaction that makes the change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hldctl.states import FeedType
from hldctl.store import feed_writer
from hldctl.store.connection import current_connection, execute, require_order
from hldctl.store.feed_writer import Change

_DELETIONS_KEPT_MS = 30 * 86_400_000


class FeedEvent(NamedTuple):
    """A row; `timestamp` is in milliseconds since 1970."""

    id: int
    type: str
    session_id: str
    run_id: str
    timestamp: int
    data: dict[str, Any]


def publish(changes: Iterable[Change]) -> None:
    """Add changes to the feed; call it inside the transaction that makes them."""
    feed_writer.publish(current_connection(), changes)


def last_published_sequence(session_id: str) -> int:
    """Return the highest sequence number among the session's events in the feed; 0 if there are none."""
    row = execute(
        "SELECT max(json_extract(data, '$.sequence')) FROM feed WHERE session_id = ? AND type = ?",
        (session_id, str(FeedType.CONVERSATION_UPDATED)),
    ).fetchone()
    return int(row[0] or 0)


def publish_deletion(event: Change) -> None:
    """Add the event of a session's deletion, in the transaction that then deletes the session.

    The events of a session are deleted with it, so this one has a table of its own. Old ones are removed.
    """
    _, session_id, run_id, timestamp, data = event
    # An event of the feed takes the id, and is deleted with the session.
    publish([event])
    execute(
        "INSERT INTO deletions (id, session_id, run_id, timestamp, data) VALUES (last_insert_rowid(), ?, ?, ?, ?)",
        (session_id, run_id, timestamp, json.dumps(data)),
    )
    execute("DELETE FROM deletions WHERE timestamp < ?", (timestamp - _DELETIONS_KEPT_MS,))


def last_id() -> int:
    """Return the highest id in the feed; 0 if it is empty."""
    query = "SELECT max(coalesce((SELECT max(id) FROM feed), 0), coalesce((SELECT max(id) FROM deletions), 0))"
    return int(execute(query).fetchone()[0])


def last_given_id() -> int:
    """Return the highest id that the feed has given, also to a row that is gone; 0 if it has given none."""
    rows = execute("SELECT seq FROM sqlite_sequence WHERE name = 'feed'").fetchall()
    return int(rows[0][0]) if rows else 0


def sessions_after(feed_id: int) -> set[str]:
    """Return the ids of the sessions with events after `feed_id`."""
    return {row[0] for row in execute("SELECT DISTINCT session_id FROM feed WHERE id > ?", (feed_id,)).fetchall()}


def feed_after(
    feed_id: int, limit: int, *, types: Sequence[FeedType] = (), session_id: str | None = None
) -> list[FeedEvent]:
    """Return the next events after `feed_id`, at most `limit`, optionally of some types or of one session."""
    conditions: list[str] = ["id > ?"]
    values: list[Any] = [feed_id]
    if types:
        conditions.append(f"type IN ({', '.join('?' * len(types))})")
        values += [str(kind) for kind in types]
        if FeedType.CONVERSATION_UPDATED not in types:
            # The same condition as that of the partial index on all other types, so that SQLite uses it.
            conditions.append("type <> 'conversation_updated'")
    if session_id is not None:
        conditions.append("session_id = ?")
        values.append(session_id)
    columns, condition = ", ".join(FeedEvent._fields), " AND ".join(conditions)
    query = f"SELECT {columns} FROM feed WHERE {condition}"
    if not types or FeedType.SESSION_DELETED in types:
        query += (
            f" UNION ALL SELECT id, '{FeedType.SESSION_DELETED}', session_id, run_id, timestamp, data FROM deletions"
        )
        query += " WHERE id > ?"
        values.append(feed_id)
        if session_id is not None:
            query += " AND session_id = ?"
            values.append(session_id)
    rows = execute(f"{query} ORDER BY id LIMIT ?", (*values, limit))
    events = [FeedEvent._make((*row[:-1], json.loads(row[-1]))) for row in rows]
    require_order(not events or feed_id < events[0].id <= events[-1].id)
    return events
