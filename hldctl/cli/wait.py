"""`hldctl wait`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.host.paths import StateDirectory
from hldctl.sessions import lookup, waiting
from hldctl.states import Status
from hldctl.store.database import opened


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to wait for.")],
    any_of_them: Annotated[bool, typer.Option("--any", help="Until one of them has ended.")] = False,
    until: Annotated[
        Status | None, typer.Option(metavar="STATUS", help="Until they have this status, or have ended.")
    ] = None,
) -> None:
    """Wait for sessions; the exit code is the worst of theirs."""
    state = StateDirectory.from_environment()
    with opened(state):
        ids = [lookup.find(words).id for words in sessions]
    raise typer.Exit(waiting.exit_code(waiting.wait(state, ids, until=until, any_of_them=any_of_them)))
