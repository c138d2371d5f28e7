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
from hldctl.contract.feed import FeedEventObject
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
        wanted = feed.Wanted(start, tuple(types or ()), session_id)
        if as_json:
            for change in feed.changes(state, wanted, follow=follow):
                output.print_json(_change_object(change), compact=True)
                resumption.mark_feed(change.event.id)
        else:
            for event in feed.feed_events(state, wanted, follow=follow):
                print(_line(event), flush=follow)
                resumption.mark_feed(event.id)


def _print_fleet(
    where: Where, types: Sequence[FeedType], after: int, *, only_new: bool, follow: bool, as_json: bool
) -> None:
    from hldctl.fleet.record.feed import changes

    for change in changes(where, types, after=after, only_new=only_new, follow=follow):
        if as_json:
            machine = {"id": change.machine.id, "name": change.machine.name}
            values = {**_change_object(feed.Change(change.event)), "machine": machine}
            output.print_json(values, compact=True)
        else:
            print(f"{output.one_line(change.machine.label)}  {_line(change.event)}", flush=follow)


def _change_object(change: feed.Change) -> FeedEventObject:
    # Imported here: only JSON needs them.
    from hldctl.permission_hook.request_object import request_object
    from hldctl.sessions.inspect.activity import activity_object

    event, approval, message = change.conversation_event, change.approval, change.message
    return {
        **json_view.feed_object(change.event),  # type: ignore[typeddict-item]  # mypy does not know these fields
        "activity": activity_object(change.activity),
        "event": None if event is None else json_view.event_object(event),
        "approval": None if approval is None else request_object(approval),
        "message": None if message is None else json_view.message_object(message),
    }


def _line(event: FeedEvent) -> str:
    details = output.one_line(json.dumps(event.data, ensure_ascii=False))
    return f"{event.id}  {format_rfc3339(event.timestamp)}  {event.session_id[:8]}  {event.type}  {details}"
