"""The feed: one row for each change, written in the transaction that makes the change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hldctl.states import FeedType
from hldctl.store import feed_writer
from hldctl.store.connection import current_connection, execute, require_order
from hldctl.store.feed_writer import Change


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


def last_id() -> int:
    """Return the highest id in the feed; 0 if it is empty."""
    return int(execute("SELECT coalesce(max(id), 0) FROM feed").fetchone()[0])


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
    rows = execute(f"SELECT {columns} FROM feed WHERE {condition} ORDER BY id LIMIT ?", (*values, limit))
    events = [FeedEvent._make((*row[:-1], json.loads(row[-1]))) for row in rows]
    require_order(not events or feed_id < events[0].id <= events[-1].id)
    return events
