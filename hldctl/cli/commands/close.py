"""`hldctl close`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.paths import StateDirectory
from hldctl.sessions import close


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to close.")],
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return without waiting for the end.")] = False,
) -> None:
    """End sessions that are kept open, each after its turn, as completed."""
    state = StateDirectory.from_environment()
    for session in close.close_sessions(state, sessions, await_end=not no_wait):
        output.print_data(f"{session.id} {session.status}")
