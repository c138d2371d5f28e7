"""`hldctl prune`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.params import bounded_int, seconds_parser
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import delete
from hldctl.sessions.delete import DeletedSession


def command(
    older_than: Annotated[
        float | None,
        typer.Option(parser=seconds_parser, metavar="DURATION", help="Only sessions that ended longer ago than this."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option(parser=bounded_int(0), metavar="N", help="Keep the N most recent.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be deleted.")] = False,
) -> None:
    """Delete ended sessions, and print their ids, the oldest first."""
    if older_than is None and keep is None:
        raise BadUsage("Specify what to delete: --older-than 30d, --keep 100, or both.")
    state = StateDirectory.from_environment()
    ids = delete.prunable_ids(state, older_than_seconds=older_than, keep=keep)
    if dry_run:
        for session_id in ids:
            output.print_data(session_id)
        return
    freed = 0
    for removed in _show_progress(delete.prune(state, ids), ids):
        freed += removed.freed_bytes
        output.print_data(removed.session_id)
    output.print_note(f"{len(ids)} sessions deleted, {freed / (1 << 20):.1f} MB of files")


def _show_progress(removals: Iterator[DeletedSession], ids: Sequence[str]) -> Iterator[DeletedSession]:
    """Yield the removals, with a progress bar if standard error is a terminal and standard output is not."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield from removals
        return
    with typer.progressbar(removals, length=len(ids), file=sys.stderr, label="Deleting") as progress:
        yield from progress
