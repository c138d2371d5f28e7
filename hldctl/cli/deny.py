"""`hldctl deny`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import answering
from hldctl.sessions.approving import Answer


def command(
    approval: answering.Approval = None,
    message: Annotated[
        str | None, typer.Option("--message", "--comment", metavar="TEXT", help="What the model is told.")
    ] = None,
    interrupt: Annotated[bool, typer.Option("--interrupt", help="And stop the session's turn.")] = False,
    all_of_them: answering.AllOfThem = False,
    session: answering.OfSession = None,
    tool: answering.OfTool = None,
) -> None:
    """Deny what waits for permission.

    Without an id, on a terminal, it goes through what waits, one request after another.
    """
    said = Answer(allows=False, comment=message, interrupts=interrupt)
    answering.answer(said, approval, all_of_them=all_of_them, session=session, tool=tool)
