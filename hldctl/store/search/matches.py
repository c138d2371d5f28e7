"""The events that match a search, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hldctl.store.connection import execute
from hldctl.store.events import CALLED_TOOL
from hldctl.store.search.index import SearchIndex, session_facet
from hldctl.store.search.terms import Term
from hldctl.store.search.text import excerpt, searched_text
from hldctl.system.clock import format_rfc3339

_PAGE = 100
# What would end a text in SQLite's query language, and what UTF-8 cannot have.
_NOT_IN_WORDS = re.compile('["\0\ud800-\udfff]')
# The times in the feed are almost in order: an imported session begins with an old one.
_NEIGHBOURS = 50

_SELECT = f"""
SELECT s.id, s.name, s.title, s.summary, s.status, e.sequence, e.event_type, e.role,
    coalesce(e.tool_name, {CALLED_TOOL}), e.is_error, e.created_at, e.content, e.tool_input, e.tool_result_content
FROM feed f JOIN conversation_events e ON e.session_id = f.session_id AND e.sequence = f.data ->> 'sequence'
    JOIN sessions s ON s.id = f.session_id
WHERE f.id = ?
"""
_SELECT_TIME = f"SELECT max(timestamp) FROM (SELECT timestamp FROM feed WHERE id >= ? ORDER BY id LIMIT {_NEIGHBOURS})"


@dataclass(frozen=True)
class Filters:
    """What a search is narrowed down to; all of it has to apply."""

    session_id: str | None = None
    """The id of a session; None for all."""
    role: str | None = None
    """Who speaks in the event: `user`, `assistant` or `system`; None for all."""
    tool: str | None = None
    """The tool whose calls and results are searched; None for all events."""
    since: int | None = None
    """The time of the oldest event, in milliseconds since 1970; None without a limit."""


@dataclass(frozen=True)
class Match:
    """An event that matches a search."""

    session_id: str
    """The id of its session."""
    name: str | None
    """The name of its session; None without one."""
    title: str | None
    """The title of its session; None without one."""
    summary: str
    """The beginning of its session's query."""
    status: str
    """The status of its session."""
    sequence: int
    """The number of the event in its session, from 1."""
    event_type: str
    """What the event is: `message`, `thinking`, `tool_call`, `tool_result` or `system`."""
    role: str | None
    """Who speaks: `user`, `assistant` or `system`; None if the event does not say."""
    tool_name: str | None
    """The tool that is called, or whose result this is; None for all other events."""
    is_error: bool
    """True for the result of a tool call that failed."""
    created_at: int = field(metadata={"shown_as": "Timestamp"})
    """When the event was written; in Python in milliseconds since 1970."""
    excerpt: str
    """The text around the words found, on one line; `…` marks where it was cut."""
    matches: tuple[tuple[int, int], ...]
    """The words found: the first character in the excerpt, counted from 0, and the one after the last; in order."""

    def as_object(self) -> dict[str, Any]:
        """Return the match as a JSON object."""
        values: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {
            "created_at": format_rfc3339(self.created_at),
            "matches": [list(place) for place in self.matches],
        }


# The fields of a match that are columns, in the order of the query.
_COLUMNS = tuple(each.name for each in fields(Match))[:-2]


def find_matches(index: SearchIndex, terms: Sequence[Term], filters: Filters) -> Iterator[Match]:
    """Yield the events that contain all terms, in descending order of their recording.

    Each is read from the database: what an index says that does not fit it is left out.
    """
    expression = _expression(terms, filters)
    above = 0 if filters.since is None else _last_id_before(filters.since)
    below = None
    while ids := index.find(expression, above=above, below=below, limit=_PAGE):
        for feed_id in ids:
            if (match := _read(index, feed_id, terms, filters)) is not None:
                yield match
        below = ids[-1]


def _expression(terms: Sequence[Term], filters: Filters) -> str:
    facets = []
    if filters.session_id is not None:
        facets.append(session_facet(filters.session_id))
    if filters.role is not None:
        facets.append(f"r{filters.role}")
    if filters.tool is not None:
        facets.append(f"t{filters.tool}")
    quoted = (f'facets : "{_NOT_IN_WORDS.sub(" ", facet)}"' for facet in facets)
    return " AND ".join([*(f"text : {term.as_expression()}" for term in terms), *quoted])


def _read(index: SearchIndex, feed_id: int, terms: Sequence[Term], filters: Filters) -> Match | None:
    row = execute(_SELECT, (feed_id,)).fetchone()
    if row is None:
        # It was deleted after the index was read.
        return None
    *columns, content, tool_input, result = row
    session_id, *_, role, tool_name, is_error, created_at = columns
    if not _applies(filters, session_id, role, tool_name, created_at):
        return None
    found = excerpt(searched_text(content, tool_input, result), terms, index.tokenizer)
    if found is None:
        return None
    event = dict(zip(_COLUMNS, columns, strict=True)) | {"is_error": bool(is_error)}
    return Match(**event, excerpt=found.text, matches=found.matches)


def _applies(filters: Filters, session_id: str, role: str | None, tool_name: str | None, created_at: int) -> bool:
    """Return whether the filters apply to an event: the index may confuse tools whose names differ in punctuation."""
    return (
        filters.session_id in (None, session_id)
        and filters.role in (None, role)
        and (filters.tool is None or filters.tool.casefold() == (tool_name or "").casefold())
        and (filters.since is None or created_at >= filters.since)
    )


def _last_id_before(time_ms: int) -> int:
    """Return an id of the feed up to which everything was recorded before a time, in milliseconds since 1970."""
    low, high = 0, int(execute("SELECT coalesce(max(id), 0) FROM feed").fetchone()[0])
    while low < high:
        middle = (low + high + 1) // 2
        newest = execute(_SELECT_TIME, (middle,)).fetchone()[0]
        if newest is not None and newest < time_ms:
            low = middle
        else:
            high = middle - 1
    return low
