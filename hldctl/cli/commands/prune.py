"""`hldctl prune`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.commands.rm import note_kept
from hldctl.cli.params import age_parser, bounded_int
from hldctl.cli.terminal.progress import show_progress
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import delete
from hldctl.sessions.worktrees import removal as worktree_removal
from hldctl.worktrees.git import user_umask


def command(
    ctx: typer.Context,
    older_than: Annotated[
        float | None,
        typer.Option(
            parser=age_parser,
            metavar="AGE",
            help="Only sessions that ended longer ago than this.",
        ),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(parser=bounded_int(0), metavar="N", help="Keep the N most recent.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be deleted.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="At a terminal: delete without asking.")] = False,
) -> None:
    """Delete ended sessions, and print their ids, the oldest first. At a terminal, ask first."""
    if older_than is None and keep is None:
        raise BadUsage("Specify what to delete: --older-than 30d, --keep 100, or both.")
    state = StateDirectory.from_environment()
    ids = delete.prunable_ids(state, older_than_seconds=older_than, keep=keep)
    for session_id, reason in worktree_removal.refusals(state, ids).items():
        output.print_note(f"skipped {session_id}: {reason}")
        ids.remove(session_id)
    amount = f"{len(ids)} of {delete.count_sessions(state)} sessions"
    if dry_run:
        for session_id in ids:
            output.print_data(session_id)
        output.print_note(f"would delete {amount}")
        return
    question = f"this deletes {amount}, with everything recorded about them. Delete?"
    if ids and not force and can_ask() and not confirm(question):
        output.print_note("nothing was deleted")
        return
    freed = 0
    removals = delete.prune(state, ids)
    with user_umask(ctx.obj["umask"]):
        for removed in show_progress(removals, lambda n: f"deleting session {n} of {len(ids)}", prints_items=True):
            freed += removed.freed_bytes
            output.print_data(removed.session_id)
            note_kept(removed)
    output.print_note(f"deleted {amount}, {freed / (1 << 20):.1f} MB of files")


def can_ask() -> bool:
    """Return whether somebody is at the terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask on standard error, because standard output has the data; only `y` or `yes` confirms."""
    sys.stderr.write(f"hldctl: {question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
