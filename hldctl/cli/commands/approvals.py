"""`hldctl approvals`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.render.events_plain import answerer
from hldctl.cli.render.format import age
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.signals import left_by_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers, requests
from hldctl.states import ApprovalStatus
from hldctl.store.approvals import Approval, as_object
from hldctl.store.database import reading

_HEADER = ("ID", "SESSION", "STATUS", "SINCE", "TOOL", "INPUT")


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID…]", help="Only of these sessions; of a request, the whole of it."),
    ] = None,
    answered_too: Annotated[bool, typer.Option("--all", help="Answered and expired ones too.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="And then each that comes or is answered, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array, or with -f an object a line.")] = False,
) -> None:
    """List the permission requests that wait, the longest first.

    The id of a request shows that one whole, answered or not.
    """
    state = StateDirectory.from_environment()
    named = requests.named(state, words or ())
    if follow:
        if named.requests:
            raise BadUsage("-f follows sessions; leave out -f to see a request.")
        _follow(state, named.sessions, as_json=as_json)
        return
    found = list(named.requests)
    if named.sessions or not found:
        found += answers.listed(state, named.sessions, answered_too=answered_too)
    if answered_too and not words and len(found) == answers.NEWEST:
        output.note(f"only the newest {answers.NEWEST}; name a session for all of its requests")
    if as_json:
        output.json_value([as_object(approval) for approval in found])
    elif named.requests:
        _print_whole(state, found)
    elif not found:
        output.note("nothing was ever asked" if answered_too else "nothing waits for permission")
    else:
        _print_table(found)


def _follow(state: StateDirectory, ids: Sequence[str], *, as_json: bool) -> None:
    with left_by_signal():
        for approval in answers.news(state, ids):
            if as_json:
                output.json_value(as_object(approval), compact=True)
            else:
                print("  ".join(_cells(approval)), flush=True)


def _print_table(found: Sequence[Approval]) -> None:
    """At a terminal each request has one line; in a pipe it is whole, as with -f."""
    rows = list(map(_cells, found))
    if rich_console.is_drawn():
        widths = [max(map(len, column)) for column in list(zip(_HEADER, *rows, strict=True))[:-1]]
        room = max(1, shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths))
        short = [(*cells[:-1], output.cut(cells[-1], room)) for cells in rows]
        is_cut, rows = short != rows, short
    output.table(_HEADER, rows)
    if rich_console.is_drawn() and is_cut:
        output.note("`hldctl approvals ID` shows a request whole")


def _print_whole(state: StateDirectory, found: Iterable[Approval]) -> None:
    # Only here: a list needs none of it.
    from hldctl.cli.render.permission_request import described
    from hldctl.cli.terminal.programs import paged
    from hldctl.store import sessions

    with reading(state):
        of_sessions = {approval.session_id: sessions.get(approval.session_id) for approval in found}
    with paged():
        for number, approval in enumerate(found):
            if number:
                output.data("")
            for line in described(approval, of_sessions[approval.session_id]):
                output.data(line.printed)
            comment = f": {output.quoted_line(approval.comment)}" if approval.comment else ""
            output.data(f"{_status(approval)}, asked {age(time.time() - approval.created_at / 1000)} ago{comment}")


def _cells(approval: Approval) -> tuple[str, ...]:
    return (
        approval.id[:8],
        approval.session_id[:8],
        _status(approval),
        age(time.time() - approval.created_at / 1000),
        output.quoted_line(approval.tool_name),
        output.quoted_line(approval.tool_input),
    )


def _status(approval: Approval) -> str:
    if approval.status == ApprovalStatus.PENDING:
        return "waits"
    return f"{approval.status} by {answerer(approval)}"
