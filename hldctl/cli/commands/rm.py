"""`hldctl rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.paths import StateDirectory
from hldctl.sessions import delete, lookup
from hldctl.store.database import open_for_reading


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to delete.")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Interrupt running sessions first.")] = False,
) -> None:
    """Delete sessions and everything recorded about them. Claude Code keeps its own conversations."""
    state = StateDirectory.from_environment()
    with open_for_reading(state):
        ids = list(dict.fromkeys(lookup.find_session(ref).id for ref in sessions))
    for removed in delete.delete_sessions(state, ids, force=force):
        output.print_data(removed.session_id)
