"""Indexing of what the feed has and the index lacks, in small transactions.

The index follows the feed, whose ids have the order of the commits: an event is indexed once, and none is missed. After
a kill, the last transaction is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.states import FeedType
from hldctl.store import feed
from hldctl.store.connection import execute
from hldctl.store.events import CALLED_TOOL
from hldctl.store.search.index import Entry, Row, SearchIndex, open_index, session_facet
from hldctl.store.search.text import searched_text
from hldctl.system.error_log import log

_BATCH_ROWS = 1000
# A batch ends after this many characters; indexing them takes 60 ms.
_BATCH_CHARACTERS = 1 << 20

FEW_ROWS = 2000
"""Rows of the feed that a process indexes on the way, at most: this takes 50 to 100 ms."""
_SHORT_TIMEOUT_SECONDS = 0.1

_SELECT = f"""
SELECT f.id, f.type, f.session_id, f.timestamp, e.role, e.content, e.tool_input, e.tool_result_content,
    coalesce(e.tool_name, {CALLED_TOOL})
FROM feed f LEFT JOIN conversation_events e
    ON f.type = '{FeedType.CONVERSATION_UPDATED}' AND e.session_id = f.session_id AND e.sequence = f.data ->> 'sequence'
WHERE f.id > :after
UNION ALL
SELECT id, '{FeedType.SESSION_DELETED}', session_id, timestamp, NULL, NULL, NULL, NULL, NULL FROM deletions
WHERE id > :after
ORDER BY 1 LIMIT :limit
"""
_WITNESS = "SELECT session_id || ' ' || timestamp FROM feed WHERE id = ?"


class Lag(NamedTuple):
    """How far the index is from the feed."""

    reached: int
    """The id of the last row of the feed that is indexed."""
    last: int
    """The id of the last row of the feed."""

    @property
    def rows(self) -> int:
        return max(0, self.last - self.reached)


def measure_lag(index: SearchIndex) -> Lag:
    """Return how far the index is; 0 rows are indexed if it is the index of another database."""
    last = feed.last_given_id()
    life, reached, witness = index.progress()
    if life != _life() or reached > last:
        return Lag(0, last)
    found = execute(_WITNESS, (reached,)).fetchone()
    # The row is gone with its session. Another row with this id comes from an older copy of the database.
    return Lag(reached if found is None or witness in (None, found[0]) else 0, last)


def index_batch(index: SearchIndex, limit: int = _BATCH_ROWS) -> int:
    """Index the next rows of the feed, and return how many rows of the feed that were; 0 if there are none."""
    with index.transaction():
        # Read in here: rows that `rm` deletes later are indexed by then, and deleted after this transaction.
        lag = measure_lag(index)
        if lag.reached == 0 and index.progress()[1]:
            index.clear()
        rows = _next_rows(lag.reached, limit)
        if not rows:
            if lag.rows:
                # The last rows are gone with their sessions.
                index.advance(_life(), lag.last, None)
            return 0
        index.add(_entries(rows))
        for row in rows:
            if row[1] == FeedType.SESSION_DELETED:
                while index.delete_some(row[2]):
                    pass
        last_id, _, session_id, timestamp = rows[-1][:4]
        index.advance(_life(), last_id, f"{session_id} {timestamp}")
    return len(rows)


def index_newest(state: StateDirectory) -> None:
    """Index what is new, up to some thousand events, with the database open. Errors are logged: it is repeated.

    An index that does not exist is made only while there is little to index: `hldctl search` makes it otherwise.
    """
    try:
        may_create = feed.last_given_id() <= FEW_ROWS
        index = open_index(state, _SHORT_TIMEOUT_SECONDS, may_create=may_create)
        if index is None:
            return
        try:
            rows = 0
            while rows < FEW_ROWS and (added := index_batch(index)):
                rows += added
        finally:
            index.close()
    except (HldctlError, OSError) as error:
        log(str(error))


def forget_session(state: StateDirectory, session_id: str) -> None:
    """Delete the entries of a session that was deleted. If that fails, the event of its deletion repeats it."""
    try:
        index = open_index(state, _SHORT_TIMEOUT_SECONDS, may_create=False)
        if index is None:
            return
        try:
            has_more = True
            while has_more:
                with index.transaction():
                    has_more = index.delete_some(session_id)
        finally:
            index.close()
    except (HldctlError, OSError):
        return


def _life() -> str:
    return str(execute("SELECT value FROM marks WHERE name = 'life'").fetchone()[0])


def _next_rows(after: int, limit: int) -> list[Row]:
    rows: list[Row] = []
    length = 0
    for row in execute(_SELECT, {"after": after, "limit": limit}):
        rows.append(row)
        length += sum(len(text or "") for text in row[5:8])
        if length > _BATCH_CHARACTERS:
            break
    return rows


def _entries(rows: list[Row]) -> Iterator[Entry]:
    for feed_id, kind, session_id, _, role, content, tool_input, result, tool_name in rows:
        if kind == FeedType.CONVERSATION_UPDATED and (text := searched_text(content, tool_input, result)):
            yield feed_id, text, facets(session_id, role, tool_name)


def facets(session_id: str, role: str | None, tool_name: str | None) -> str:
    """Return the words by which a search is narrowed down."""
    words = [session_facet(session_id), f"r{role or ''}", *([f"t{tool_name}"] if tool_name else [])]
    return " ".join(words)
