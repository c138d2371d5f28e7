"""The feed: one row for each change, written in the transaction that makes the change; `changes` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hldctl.states import FeedType
from hldctl.store import feed_writer
from hldctl.store.connection import current, execute, require_order
from hldctl.store.feed_writer import Change


class FeedEvent(NamedTuple):
    """A row."""

    id: int
    type: str
    session_id: str
    run_id: str
    timestamp: int
    data: dict[str, Any]


def publish(news: Iterable[Change]) -> None:
    """Adds to the feed; to be called inside of the transaction that makes the changes."""
    feed_writer.publish(current(), news)


def last_event_told(session_id: str) -> int:
    """The highest number among the session's events that the feed has."""
    row = execute(
        "SELECT max(json_extract(data, '$.sequence')) FROM feed WHERE session_id = ? AND type = ?",
        (session_id, str(FeedType.CONVERSATION_UPDATED)),
    ).fetchone()
    return int(row[0] or 0)


def last_id() -> int:
    return int(execute("SELECT coalesce(max(id), 0) FROM feed").fetchone()[0])


def after(
    feed_id: int, limit: int, *, types: Sequence[FeedType] = (), session_id: str | None = None
) -> list[FeedEvent]:
    """The next events behind that id."""
    conditions: list[str] = ["id > ?"]
    values: list[Any] = [feed_id]
    if types:
        conditions.append(f"type IN ({', '.join('?' * len(types))})")
        values += [str(kind) for kind in types]
        if FeedType.CONVERSATION_UPDATED not in types:
            # In the words of the index that has all others.
            conditions.append("type <> 'conversation_updated'")
    if session_id is not None:
        conditions.append("session_id = ?")
        values.append(session_id)
    columns, condition = ", ".join(FeedEvent._fields), " AND ".join(conditions)
    rows = execute(f"SELECT {columns} FROM feed WHERE {condition} ORDER BY id LIMIT ?", (*values, limit))
    found = [FeedEvent._make((*row[:-1], json.loads(row[-1]))) for row in rows]
    require_order(not found or feed_id < found[0].id <= found[-1].id)
    return found
