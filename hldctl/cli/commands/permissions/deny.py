"""`hldctl deny`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli.views import answer_requests
from hldctl.sessions.permissions.answers import Decision


def command(
    approval: answer_requests.RequestArgument = None,
    message: Annotated[
        str | None, typer.Option("--message", "--comment", metavar="TEXT", help="A reason, sent to the model.")
    ] = None,
    interrupt: Annotated[bool, typer.Option("--interrupt", help="Also interrupt the session.")] = False,
    all_of_them: answer_requests.AllOption = False,
    session: answer_requests.SessionOption = None,
    tool: answer_requests.ToolOption = None,
) -> None:
    """Deny pending permission requests.

    Without an id, at a terminal, go through the pending requests one by one.
    """
    decision = Decision(allows=False, comment=message, interrupts=interrupt)
    answer_requests.answer(decision, approval, all_of_them=all_of_them, session=session, tool=tool)
