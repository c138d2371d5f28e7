"""`hldctl events`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hldctl.cli import elsewhere, output, resumption
from hldctl.cli.params import bounded_int
from hldctl.cli.resumption import Position
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.errors import BadUsage
from hldctl.sessions import lookup
from hldctl.sessions.inspect import feed
from hldctl.states import FeedType
from hldctl.store import json_view
from hldctl.store.database import open_for_reading
from hldctl.store.feed import FeedEvent
from hldctl.system.clock import format_rfc3339

if TYPE_CHECKING:
    from hldctl.fleet.record.reading import Where


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
    fleet: elsewhere.InFleet = False,
    machine: elsewhere.OfMachine = None,
    owner: elsewhere.OfOwner = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Print the feed of all changes. Each event has an id; --after resumes after that id.

    With --fleet, each machine numbers its own events, and events of conversations are left out.
    """
    if new and (after or not follow):
        raise BadUsage("--new works with -f and without --after.")
    if (where := elsewhere.where(fleet, machine, owner)) is not None:
        if session is not None or (after and machine is None):
            raise BadUsage("--fleet does not work with --session, and --after only with --machine.")
        with exit_on_signal():
            _print_fleet(where, types or (), after, only_new=new, follow=follow, as_json=as_json)
        return
    resumed = resumption.resumed_position()
    if resumed is not None:
        session = resumed.ids[0] if resumed.ids else None
    with exit_on_signal(), elsewhere.find([] if session is None else [session]) as view:
        state, session_id = view.state, None
        if session is not None:
            with open_for_reading(state):
                session_id = lookup.find_session(session).id
        start = resumed.feed if resumed is not None else feed.last_id(state) if new else after
        resumption.mark_start(Position(() if session_id is None else (session_id,), feed=start))
        for event in feed.feed_events(state, after=start, types=types or (), session_id=session_id, follow=follow):
            _print(event, as_json=as_json, flush=follow)
            resumption.mark_feed(event.id)


def _print_fleet(
    where: Where, types: Sequence[FeedType], after: int, *, only_new: bool, follow: bool, as_json: bool
) -> None:
    from hldctl.fleet.record.feed import changes

    for change in changes(where, types, after=after, only_new=only_new, follow=follow):
        if as_json:
            values = json_view.feed_object(change.event) | {
                "machine": {"id": change.machine.id, "name": change.machine.name}
            }
            output.print_json(values, compact=True)
        else:
            print(f"{output.one_line(change.machine.label)}  {_line(change.event)}", flush=follow)


def _print(event: FeedEvent, *, as_json: bool, flush: bool) -> None:
    if as_json:
        output.print_json(json_view.feed_object(event), compact=True)
        return
    print(_line(event), flush=flush)


def _line(event: FeedEvent) -> str:
    details = output.one_line(json.dumps(event.data, ensure_ascii=False))
    return f"{event.id}  {format_rfc3339(event.timestamp)}  {event.session_id[:8]}  {event.type}  {details}"
