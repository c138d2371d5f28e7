"""Full-text search in the record.

Row-level security keeps PostgreSQL from using an index for `@@` in a member's own query: the operator might leak rows
that the member does not see. So a function of the tables' owner searches, and applies the policy's condition itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hldctl.fleet.record.connection import Connection
from hldctl.store.search.matches import Filters
from hldctl.store.search.terms import Term

_PAGE = 50

# PostgreSQL's parser has kinds of words for paths and addresses, which would be found only as a whole. A tsvector has
# 1 MB at most: 100,000 characters are about half of that. JSON with a NUL or half of a surrogate pair cannot be read;
# these are left out then. What separates words is listed: in the locale C, only ASCII has letters.
# `jsonb` has characters instead of their escapes. One block with an exception: each costs a subtransaction.
_WORDS = r"""
CREATE FUNCTION hldctl.words(event json) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unreadable CONSTANT text := '(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f]..)';
    source text := event::text;
    input text;
    words text;
BEGIN
    IF strpos(source, '\u0000') > 0 OR strpos(source, '\ud') > 0 THEN
        source := regexp_replace(source, unreadable, '\1 ', 'gi');
        event := source;
    END IF;
    words := concat_ws(' ', event ->> 'content', event ->> 'tool_result_content');
    input := event ->> 'tool_input';
    IF input IS NOT NULL THEN
        IF strpos(input, '\u0000') > 0 OR strpos(input, '\ud') > 0 THEN
            input := regexp_replace(input, unreadable, '\1 ', 'gi');
        END IF;
        words := words || ' ' || regexp_replace(input::jsonb::text, '\\[nrtbf"\\]', ' ', 'g');
    END IF;
    words := regexp_replace(left(words, 100000), '[\x01-/:-@[-`{-\x7f]+', ' ', 'g');
    IF getdatabaseencoding() = 'UTF8' AND octet_length(words) > length(words) THEN
        words := regexp_replace(words, '[\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7'
            '\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u303f\uff00-\uff0f]+', ' ', 'g');
    END IF;
    RETURN to_tsvector('pg_catalog.simple', words);
EXCEPTION WHEN OTHERS THEN
    -- An event that cannot be searched is recorded nevertheless.
    RETURN '';
END $$
"""
# `->` where `->>` would read the texts as well.
_SEARCH = """
CREATE FUNCTION hldctl.search(
    wanted tsquery, machines uuid[], of_owner name, session uuid, said_by text, tool text, since bigint,
    before_time bigint, before_session uuid, before_sequence integer, most integer
) RETURNS TABLE (session_id uuid, sequence integer, created_at bigint, event json)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT found.session_id, found.sequence, found.created_at, found.event FROM (
        SELECT e.session_id, e.sequence, (e.event -> 'created_at')::text::bigint AS created_at, e.event
        FROM hldctl.events e JOIN hldctl.sessions s ON s.id = e.session_id
        WHERE hldctl.words(e.event) @@ wanted
            AND (s.owner = session_user OR s.team = ANY ((SELECT hldctl.teams())::name[])
                OR (SELECT hldctl.is_operator()))
            AND (machines IS NULL OR s.machine_id = ANY (machines))
            AND (of_owner IS NULL OR s.owner = of_owner)
            AND (session IS NULL OR s.id = session)
            AND (said_by IS NULL OR (e.event -> 'role')::text = said_by)
            AND (tool IS NULL OR lower((e.event -> 'tool_name')::text) = lower(tool))
    ) AS found
    WHERE (since IS NULL OR found.created_at >= since)
        AND (before_time IS NULL
            OR (found.created_at, found.session_id, found.sequence) < (before_time, before_session, before_sequence))
    ORDER BY found.created_at DESC, found.session_id DESC, found.sequence DESC LIMIT most
$$
"""
STATEMENTS = (
    _WORDS,
    "CREATE INDEX events_by_words ON hldctl.events USING gin (hldctl.words(event))",
    _SEARCH,
)
"""What the migration does that brings full-text search. `make_month` copies the index to each new partition."""

_CALL = (
    "SELECT session_id, sequence, created_at, event FROM"
    " hldctl.search(%s::tsquery, %s::uuid[], %s, %s::uuid, %s, %s, %s, %s, %s::uuid, %s, %s)"
)


class FoundEvent(NamedTuple):
    """An event of a session that may match."""

    session_id: str
    sequence: int
    created_at: int
    """In milliseconds since 1970."""
    event: dict[str, Any]
    """Its columns by name."""


def find_events(
    connection: Connection,
    terms: Sequence[Term],
    filters: Filters,
    machine_ids: Sequence[str] | None,
    owner: str | None,
) -> Iterator[FoundEvent]:
    """Yield the events that have these terms, newest first; accents in the terms matter. None is for all machines."""
    last: tuple[Any, ...] = (None, None, None)
    fixed = (
        as_query(terms),
        None if machine_ids is None else list(machine_ids),
        owner,
        filters.session_id,
        None if filters.role is None else json.dumps(filters.role),
        None if filters.tool is None else json.dumps(filters.tool),
        filters.since,
    )
    while rows := connection.execute(_CALL, (*fixed, *last, _PAGE)).fetchall():
        for row in rows:
            yield FoundEvent(str(row[0]), row[1], row[2], json.loads(row[3]))
        last = (rows[-1][2], rows[-1][0], rows[-1][1])


def as_query(terms: Sequence[Term]) -> str:
    """Return the terms in PostgreSQL's query language. Words consist of letters and digits."""
    phrases = []
    for term in terms:
        *before, last = (f"'{word}'" for word in term.tokens)
        phrases.append(" <-> ".join([*before, f"{last}:*" if term.is_prefix else last]))
    return " & ".join(phrases)
