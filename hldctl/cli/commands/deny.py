"""`hldctl deny`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli.views import answer_requests
from hldctl.sessions.permissions.answers import Answer


def command(
    approval: answer_requests.Approval = None,
    message: Annotated[
        str | None, typer.Option("--message", "--comment", metavar="TEXT", help="What the model is told.")
    ] = None,
    interrupt: Annotated[bool, typer.Option("--interrupt", help="And stop the session's turn.")] = False,
    all_of_them: answer_requests.AllOfThem = False,
    session: answer_requests.OfSession = None,
    tool: answer_requests.OfTool = None,
) -> None:
    """Deny what waits for permission.

    Without an id, on a terminal, it goes through what waits, one request after another.
    """
    said = Answer(allows=False, comment=message, interrupts=interrupt)
    answer_requests.answer(said, approval, all_of_them=all_of_them, session=session, tool=tool)
