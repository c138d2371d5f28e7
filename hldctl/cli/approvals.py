"""`hldctl approvals`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.age import age
from hldctl.cli.conversation import answerer
from hldctl.cli.leaving import left_by_signal
from hldctl.host.paths import StateDirectory
from hldctl.sessions import approving, lookup
from hldctl.states import ApprovalStatus
from hldctl.store.approvals import Approval, as_object
from hldctl.store.database import reading

_WIDTH = 80
"""Characters of a call's input that a line shows."""


def command(
    sessions: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Only of these sessions.")] = None,
    answered_too: Annotated[bool, typer.Option("--all", help="Answered and expired ones too.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="And then each that comes or is answered, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array, or with -f an object a line.")] = False,
) -> None:
    """List the permission requests that wait, the longest first."""
    state = StateDirectory.from_environment()
    with reading(state):
        ids = [lookup.find(words).id for words in sessions or ()]
    if follow:
        with left_by_signal():
            for approval in approving.news(state, ids):
                if as_json:
                    output.json_value(as_object(approval), compact=True)
                else:
                    print(line(approval), flush=True)
        return
    found = approving.listed(state, ids, answered_too=answered_too)
    if answered_too and not ids and len(found) == approving.NEWEST:
        output.note(f"only the newest {approving.NEWEST}; name a session for all of its requests")
    if as_json:
        output.json_value([as_object(approval) for approval in found])
    elif not found:
        output.note("nothing was ever asked" if answered_too else "nothing waits for permission")
    else:
        output.table(("ID", "SESSION", "STATUS", "SINCE", "TOOL", "INPUT"), map(_cells, found))


def line(approval: Approval) -> str:
    """The cells of the table, in a line of its own."""
    return "  ".join(_cells(approval))


def _cells(approval: Approval) -> tuple[str, ...]:
    return (
        approval.id[:8],
        approval.session_id[:8],
        _status(approval),
        age(time.time() - approval.created_at / 1000),
        output.one_line(approval.tool_name),
        output.shortened(approval.tool_input, _WIDTH),
    )


def _status(approval: Approval) -> str:
    if approval.status == ApprovalStatus.PENDING:
        return "waits"
    return f"{approval.status} by {answerer(approval)}"
