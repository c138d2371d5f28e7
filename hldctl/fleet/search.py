"""Full-text search over the conversations of all machines, as far as they are in the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from hldctl.errors import BadUsage, NoSuchSession
from hldctl.fleet.address import configured_url
from hldctl.fleet.record import full_text, machines, reading
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.machines import Machine
from hldctl.fleet.record.reading import RecordedRow, Where
from hldctl.fleet.record.schema import open_current
from hldctl.store.search import terms
from hldctl.store.search.index import new_tokenizer
from hldctl.store.search.matches import Filters, Match
from hldctl.store.search.text import excerpt, searched_text


class FleetMatch(NamedTuple):
    """An event that matches a search, and where it is from."""

    match: Match
    machine: Machine | None
    """The machine of its session; None if no machine has it yet."""
    owner: str
    """The role that its session belongs to."""


def search(text: str, where: Where, filters: Filters, session_ref: str | None = None) -> Iterator[FleetMatch]:
    """Yield the events in the record that contain the words of the text, newest first; accents matter.

    Only sessions that the role of this machine sees are searched, and of each event the first 100,000 characters. With
    `filters.tool`, only calls are found.

    Raise BadUsage if the text has no words, NoSuchSession, and UnfitEnvironment if the record cannot be read.
    """
    tokenizer = new_tokenizer()
    wanted = terms.parse(text, tokenizer.words)
    if not wanted:
        raise BadUsage("There is nothing to search for: give a word with letters or digits.")
    exact = terms.parse(text, new_tokenizer(keeps_accents=True).words)
    with open_current(configured_url()) as record:
        if session_ref is not None:
            filters = replace(filters, session_id=_find_session(record, session_ref))
        named = None if where.machine is None else machines.find_named(record, where.machine)
        known = {machine.id: machine for machine in named or machines.list_machines(record)}
        sessions: dict[str, RecordedRow] = {}
        for found in full_text.find_events(record, exact, filters, None if named is None else list(known), where.owner):
            if found.session_id not in sessions:
                rows = reading.read_sessions(record, [found.session_id])
                if not rows:
                    continue
                sessions[found.session_id] = rows[0]
            event, session = found.event, sessions[found.session_id]
            shown = excerpt(
                searched_text(event["content"], event["tool_input"], event["tool_result_content"]), wanted, tokenizer
            )
            if shown is not None:
                match = Match(
                    session_id=found.session_id,
                    name=session.row.get("name"),
                    title=session.row.get("title"),
                    summary=session.row.get("summary") or "",
                    status=session.row["status"],
                    sequence=found.sequence,
                    event_type=event["event_type"],
                    role=event["role"],
                    tool_name=event["tool_name"],
                    is_error=bool(event["is_error"]),
                    created_at=found.created_at,
                    excerpt=shown.text,
                    matches=shown.matches,
                )
                yield FleetMatch(match, known.get(str(session.machine_id)), session.owner)


def _find_session(record: Connection, ref: str) -> str:
    if (found := reading.find_id(record, ref)) is None:
        raise NoSuchSession(f"No session {ref!r} in the fleet; `hldctl ls --all --fleet` lists all sessions.")
    return found
