"""`hldctl approvals`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from hldctl.cli import elsewhere, output, resumption
from hldctl.cli.render.requests import request_table
from hldctl.cli.resumption import Position
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.permission_hook.request_object import request_object
from hldctl.sessions.inspect import feed
from hldctl.sessions.permissions import answers, requests
from hldctl.states import ApprovalKind, ApprovalStatus
from hldctl.store.approvals import Approval
from hldctl.store.database import open_for_reading


def command(
    refs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID…]", help="Sessions whose requests to list, or requests to show in full."),
    ] = None,
    answered_too: Annotated[bool, typer.Option("--all", help="Include answered and expired requests.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Then print each new or answered request, until Ctrl-C.")
    ] = False,
    fleet: elsewhere.InFleetOrNot = None,
    machine: elsewhere.OfMachine = None,
    owner: elsewhere.OfOwner = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array; with -f, one object per line.")] = False,
) -> None:
    """List pending permission requests, the oldest first.

    Given the id of a request, show that request in full, answered or not.
    """
    resumed = resumption.resumed_position()
    whose = elsewhere.whose(fleet, machine, owner, can_list=not (refs or resumed))
    if whose is not None and refs:
        raise BadUsage("--fleet, --machine and --owner list requests; they do not work with an ID.")
    if resumed is not None:
        refs = list(resumed.ids)
    if follow and whose is not None:
        with elsewhere.live_view(whose) as view:
            _follow(view.state, (), as_json=as_json)
        return
    with elsewhere.request_view(whose, refs or (), answered_too=answered_too) as view:
        _list(view.state, refs or [], answered_too=answered_too, follow=follow, as_json=as_json)


def _list(state: StateDirectory, refs: list[str], *, answered_too: bool, follow: bool, as_json: bool) -> None:
    named = requests.resolve_targets(state, refs)
    if follow:
        if named.requests:
            raise BadUsage("-f follows sessions; omit it to show a request.")
        _follow(state, named.sessions, as_json=as_json)
        return
    listed = list(named.requests)
    if named.sessions or not listed:
        listed += answers.list_requests(state, named.sessions, answered_too=answered_too)
    if answered_too and not refs and len(listed) == answers.MAX_LISTED:
        output.print_note(f"only the newest {answers.MAX_LISTED} requests; give a session id for all of its requests")
    if as_json:
        output.print_json([request_object(approval) for approval in listed])
    elif named.requests:
        _print_full(state, listed)
    elif not listed:
        output.print_note("no permission requests" if answered_too else "no pending permission requests")
    else:
        _print_table(state, listed, answered_too=answered_too)


def _follow(state: StateDirectory, ids: Sequence[str], *, as_json: bool) -> None:
    position = resumption.resumed_position() or Position(tuple(ids), feed=feed.last_id(state))
    resumption.mark_start(position)
    with exit_on_signal():
        for approval in answers.follow_requests(state, ids, after=position.feed, seen=position.seen):
            if as_json:
                output.print_json(request_object(approval), compact=True)
            else:
                print("  ".join(request_table.cells(approval)), flush=True)
            resumption.mark_item(approval)


def _print_table(state: StateDirectory, approvals: Sequence[Approval], *, answered_too: bool) -> None:
    """Print one line per request: in a pipe all of it, at a terminal the start, with the session's title."""
    if not rich_console.can_draw():
        output.print_table(request_table.HEADER, map(request_table.cells, approvals))
        return
    from hldctl.store import sessions

    with open_for_reading(state):
        sessions_by_id = {each: sessions.get(each) for each in {approval.session_id for approval in approvals}}
    width = shutil.get_terminal_size().columns
    rows = request_table.fitted_lines(approvals, sessions_by_id, width, show_status=answered_too)
    for row in rows:
        output.print_data(row)
    if any(row.endswith("…") for row in rows):
        output.print_note("`hldctl approvals ID` shows a request in full")


def _print_full(state: StateDirectory, approvals: Iterable[Approval]) -> None:
    # Imported here: a list needs none of these.
    from hldctl.cli.render.requests import permission_answer
    from hldctl.cli.render.requests.line import Line
    from hldctl.cli.render.requests.permission_request import describe_request, lasting_rule_text
    from hldctl.cli.terminal.programs import open_pager
    from hldctl.store import sessions

    at_terminal = rich_console.can_draw()
    with open_for_reading(state), open_pager():
        for number, approval in enumerate(approvals):
            lines = describe_request(approval, sessions.get(approval.session_id))
            lines += permission_answer.describe(approval, at_terminal=at_terminal)
            if approval.status == ApprovalStatus.PENDING and approval.kind is ApprovalKind.PERMISSION:
                lines.append(Line(f"--always would allow {lasting_rule_text(state, approval)}", "dim"))
            for line in [*([Line("")] if number else []), *lines]:
                output.print_data(line.printed)
