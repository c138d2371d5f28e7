"""The feed: one row for each change, written in the transaction that makes the change; `changes` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hldctl.states import FeedType
from hldctl.store import changes
from hldctl.store.changes import Change
from hldctl.store.database import execute
from hldctl.store.models import FeedEvent, database


def publish(news: Iterable[Change]) -> None:
    """Adds to the feed; to be called inside of the transaction that makes the changes."""
    changes.publish(database.cursor(), news)


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
    query = FeedEvent.select().where(FeedEvent.id > feed_id)
    if types:
        query = query.where(FeedEvent.type.in_([str(kind) for kind in types]))
    if session_id is not None:
        query = query.where(FeedEvent.session_id == session_id)
    return list(query.order_by(FeedEvent.id).limit(limit))
