"""`hldctl rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.paths import StateDirectory
from hldctl.sessions import delete, lookup
from hldctl.store.database import open_for_reading
from hldctl.worktrees.git import user_umask


def command(
    ctx: typer.Context,
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to delete.")],
    force: Annotated[
        bool,
        typer.Option(
            "--force", "-f", help="Interrupt running sessions first; keep what is only in their worktrees in a ref."
        ),
    ] = False,
) -> None:
    """Delete sessions and everything recorded about them. Claude Code keeps its own conversations."""
    state = StateDirectory.from_environment()
    with open_for_reading(state):
        ids = list(dict.fromkeys(lookup.find_session(ref).id for ref in sessions))
    with user_umask(ctx.obj["umask"]):
        for removed in delete.delete_sessions(state, ids, force=force):
            output.print_data(removed.session_id)
            note_kept(removed)


def note_kept(removed: delete.DeletedSession) -> None:
    """Print where the work is that was only in the session's worktree."""
    if removed.kept_ref is not None:
        output.print_note(f"what only its worktree had is kept in {removed.kept_ref}")
