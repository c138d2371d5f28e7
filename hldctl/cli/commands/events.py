"""`hldctl events`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hldctl.cli import output, resumption
from hldctl.cli.params import bounded_int
from hldctl.cli.resumption import Position
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup
from hldctl.sessions.inspect import feed
from hldctl.states import FeedType
from hldctl.store import json_view
from hldctl.store.database import open_for_reading
from hldctl.store.feed import FeedEvent
from hldctl.system.clock import format_rfc3339


def command(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="After the events so far, print new ones, until Ctrl-C.")
    ] = False,
    after: Annotated[int, typer.Option(parser=bounded_int(0), metavar="ID", help="Only events after this id.")] = 0,
    new: Annotated[bool, typer.Option("--new", help="With -f: only events from now on.")] = False,
    types: Annotated[
        list[FeedType] | None, typer.Option("--type", metavar="TYPE", help="Only events of this type.")
    ] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Only events of this session.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Print the feed of all changes. Each event has an id; --after resumes after that id."""
    if new and (after or not follow):
        raise BadUsage("--new works with -f and without --after.")
    state = StateDirectory.from_environment()
    session_id = None
    resumed = resumption.resumed_position()
    if resumed is not None:
        session_id = resumed.ids[0] if resumed.ids else None
    elif session is not None:
        with open_for_reading(state):
            session_id = lookup.find_session(session).id
    with exit_on_signal():
        start = resumed.feed if resumed is not None else feed.last_id(state) if new else after
        resumption.mark_start(Position(() if session_id is None else (session_id,), feed=start))
        for event in feed.feed_events(state, after=start, types=types or (), session_id=session_id, follow=follow):
            _print(event, as_json=as_json, flush=follow)
            resumption.mark_feed(event.id)


def _print(event: FeedEvent, *, as_json: bool, flush: bool) -> None:
    if as_json:
        output.print_json(json_view.feed_object(event), compact=True)
        return
    details = output.one_line(json.dumps(event.data, ensure_ascii=False))
    timestamp = format_rfc3339(event.timestamp)
    print(f"{event.id}  {timestamp}  {event.session_id[:8]}  {event.type}  {details}", flush=flush)
