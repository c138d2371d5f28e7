"""The feed: one row for each change, written in the transaction that makes the change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from hldctl.states import FeedType
from hldctl.store.database import execute
from hldctl.store.models import FeedEvent, database

_INSERT = "INSERT INTO feed (type, session_id, run_id, timestamp, data) VALUES (?, ?, ?, ?, ?)"

Change = tuple[FeedType, str, str, int, dict[str, Any]]
"""Type, session, run, milliseconds, data."""


def publish(changes: Iterable[Change]) -> None:
    """Adds to the feed; to be called inside of the transaction that makes the changes."""
    rows = [(str(kind), session, run, moment, json.dumps(data)) for kind, session, run, moment, data in changes]
    database.cursor().executemany(_INSERT, rows)


def last_event_told(session_id: str) -> int:
    """The highest number among the session's events that the feed has."""
    row = execute(
        "SELECT max(json_extract(data, '$.sequence')) FROM feed WHERE session_id = ? AND type = ?",
        (session_id, str(FeedType.CONVERSATION_UPDATED)),
    ).fetchone()
    return int(row[0] or 0)


def after(
    feed_id: int, limit: int, *, types: Sequence[FeedType] = (), session_id: str | None = None
) -> list[FeedEvent]:
    """The next events behind that id."""
    query = FeedEvent.select().where(FeedEvent.id > feed_id)
    if types:
        query = query.where(FeedEvent.type.in_([str(kind) for kind in types]))
    if session_id is not None:
        query = query.where(FeedEvent.session_id == session_id)
    return list(query.order_by(FeedEvent.id).limit(limit))
