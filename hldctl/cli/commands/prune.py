"""`hldctl prune`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.params import bounded_int, seconds
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import delete
from hldctl.sessions.delete import Removed


def command(
    older_than: Annotated[
        float | None, typer.Option(parser=seconds, metavar="DURATION", help="Those that ended longer ago than that.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(parser=bounded_int(0), metavar="N", help="But for the newest so many.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print which.")] = False,
) -> None:
    """Delete sessions that have ended, and print their ids, the oldest first."""
    if older_than is None and keep is None:
        raise BadUsage("Say what may go: --older-than 30d, --keep 100, or both.")
    state = StateDirectory.from_environment()
    ids = delete.prunable(state, older_than_seconds=older_than, keep=keep)
    if dry_run:
        for session_id in ids:
            output.data(session_id)
        return
    freed = 0
    for removed in _with_progress(delete.prune(state, ids), ids):
        freed += removed.freed
        output.data(removed.session_id)
    output.note(f"{len(ids)} sessions deleted, {freed / (1 << 20):.1f} MB of files")


def _with_progress(removals: Iterator[Removed], ids: Sequence[str]) -> Iterator[Removed]:
    """Beside what is printed, where that goes elsewhere than to the terminal."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield from removals
        return
    with typer.progressbar(removals, length=len(ids), file=sys.stderr, label="Deleting") as shown:
        yield from shown
