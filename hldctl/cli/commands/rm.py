"""`hldctl rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.paths import StateDirectory
from hldctl.sessions import delete, lookup
from hldctl.store.database import reading


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to delete.")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Interrupt those that run, and delete them.")] = False,
) -> None:
    """Delete sessions with all that is recorded of them. Their conversations in Claude Code stay."""
    state = StateDirectory.from_environment()
    with reading(state):
        ids = list(dict.fromkeys(lookup.find_session(words).id for words in sessions))
    for removed in delete.remove(state, ids, force=force):
        output.data(removed.session_id)
