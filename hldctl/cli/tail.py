"""`hldctl tail`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.conversation import lines
from hldctl.errors import BadUsage
from hldctl.host.paths import StateDirectory
from hldctl.sessions import following, lookup, supervisors, view
from hldctl.store.database import opened


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to read.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until they have ended.")] = False,
    count: Annotated[
        int | None, typer.Option("-n", min=0, max=2**53, metavar="N", help="Only the last N events.")
    ] = None,
    after: Annotated[int, typer.Option(min=0, max=2**53, metavar="SEQ", help="Only events behind this number.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print what Claude Code wrote, byte for byte.")] = False,
) -> None:
    """Print conversations. Leaving it never touches a session."""
    if raw and (as_json or after or len(sessions) > 1):
        raise BadUsage("--raw prints one session's journal; it goes with -f and -n only.")
    state = StateDirectory.from_environment()
    with opened(state):
        ids = [lookup.find(words).id for words in sessions]
        supervisors.adopt_lost(state, ids)
    try:
        if raw:
            _print_journal(state, ids[0], last=count, follow=follow)
        else:
            print_events(state, ids, after=after, last=count, follow=follow, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def print_events(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    after: int = 0,
    last: int | None = None,
    follow: bool = False,
    as_json: bool = False,
) -> None:
    prefixed = len(ids) > 1
    for event in following.events(state, ids, after=after, last=last, follow=follow):
        if as_json:
            output.json_value(view.event_object(event), compact=True)
        else:
            prefix = f"{event.session_id[:8]}  " if prefixed else ""
            print("\n".join(prefix + line for line in lines(event)), flush=follow)


def _print_journal(state: StateDirectory, session_id: str, *, last: int | None, follow: bool) -> None:
    for block in following.journal(state, session_id, last=last, follow=follow):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
