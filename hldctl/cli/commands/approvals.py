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
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import answers, requests
from hldctl.states import ApprovalStatus
from hldctl.store.approvals import Approval, approval_object
from hldctl.store.database import open_for_reading

_HEADER = ("ID", "SESSION", "STATUS", "SINCE", "TOOL", "INPUT")


def command(
    refs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID…]", help="Sessions whose requests to list, or requests to show in full."),
    ] = None,
    answered_too: Annotated[bool, typer.Option("--all", help="Include answered and expired requests.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Then print each new or answered request, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array; with -f, one object per line.")] = False,
) -> None:
    """List pending permission requests, the oldest first.

    Given the id of a request, show that request in full, answered or not.
    """
    state = StateDirectory.from_environment()
    named = requests.resolve_targets(state, refs or ())
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
        output.print_json([approval_object(approval) for approval in listed])
    elif named.requests:
        _print_full(state, listed)
    elif not listed:
        output.print_note("no permission requests" if answered_too else "no pending permission requests")
    else:
        _print_table(listed)


def _follow(state: StateDirectory, ids: Sequence[str], *, as_json: bool) -> None:
    with exit_on_signal():
        for approval in answers.follow_requests(state, ids):
            if as_json:
                output.print_json(approval_object(approval), compact=True)
            else:
                print("  ".join(_cells(approval)), flush=True)


def _print_table(approvals: Sequence[Approval]) -> None:
    """Print one line per request, truncated at a terminal, in full in a pipe."""
    rows = list(map(_cells, approvals))
    if rich_console.can_draw():
        widths = [max(map(len, column)) for column in list(zip(_HEADER, *rows, strict=True))[:-1]]
        input_width = max(1, shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths))
        truncated = [(*cells[:-1], output.truncate_to_width(cells[-1], input_width)) for cells in rows]
        is_truncated, rows = truncated != rows, truncated
    output.print_table(_HEADER, rows)
    if rich_console.can_draw() and is_truncated:
        output.print_note("`hldctl approvals ID` shows a request in full")


def _print_full(state: StateDirectory, approvals: Iterable[Approval]) -> None:
    # Imported here: a list needs none of these.
    from hldctl.cli.render.permission_request import describe_request
    from hldctl.cli.terminal.programs import open_pager
    from hldctl.store import sessions

    with open_for_reading(state):
        sessions_by_id = {approval.session_id: sessions.get(approval.session_id) for approval in approvals}
    with open_pager():
        for number, approval in enumerate(approvals):
            if number:
                output.print_data("")
            for line in describe_request(approval, sessions_by_id[approval.session_id]):
                output.print_data(line.printed)
            comment = f": {output.escape_invisible_line(approval.comment)}" if approval.comment else ""
            output.print_data(
                f"{_status(approval)}, asked {age(time.time() - approval.created_at / 1000)} ago{comment}"
            )


def _cells(approval: Approval) -> tuple[str, ...]:
    return (
        approval.id[:8],
        approval.session_id[:8],
        _status(approval),
        age(time.time() - approval.created_at / 1000),
        output.escape_invisible_line(approval.tool_name),
        output.escape_invisible_line(approval.tool_input),
    )


def _status(approval: Approval) -> str:
    if approval.status == ApprovalStatus.PENDING:
        return "pending"
    return f"{approval.status} by {answerer(approval)}"
