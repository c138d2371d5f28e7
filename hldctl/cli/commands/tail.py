"""`hldctl tail`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hldctl.cli.params import bounded_int
from hldctl.cli.render.events_plain import Detail, Shown
from hldctl.cli.terminal.signals import left_by_signal
from hldctl.cli.views.follow import print_events
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import follow as session_events
from hldctl.sessions import lookup, supervisors
from hldctl.store.database import reading


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to read.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until they have ended.")] = False,
    count: Annotated[
        int | None, typer.Option("-n", parser=bounded_int(0), metavar="N", help="Only the last N events.")
    ] = None,
    after: Annotated[
        int, typer.Option(parser=bounded_int(0), metavar="SEQ", help="Only events behind this number.")
    ] = 0,
    thinking: Annotated[
        Detail | None, typer.Option(help="How much of what it thinks; brief is the first line. Default: brief.")
    ] = None,
    tools: Annotated[
        Detail | None, typer.Option(help="How much of tool calls; full is input and result whole. Default: brief.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="With -f: text while it is being written, if launched with `-- --include-partial-messages`."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print what Claude Code wrote, byte for byte.")] = False,
) -> None:
    """Print conversations. Leaving it never touches a session.

    On a terminal it is drawn, with -f above a last line that tells what goes on. In a pipe it is plain lines, with all
    that is thought and all results unless --thinking or --tools says otherwise.
    """
    shown = Shown(thinking, tools, live)
    if raw and (as_json or after or len(sessions) > 1):
        raise BadUsage("--raw prints one session's journal; it goes with -f and -n only.")
    if (raw or as_json) and shown != Shown():
        raise BadUsage("--json and --raw print everything; --thinking, --tools and --live are not for them.")
    if live and not follow:
        raise BadUsage("--live goes with -f: what has been written is there as a whole.")
    state = StateDirectory.from_environment()
    with reading(state):
        ids = [lookup.find_session(words).id for words in sessions]
        supervisors.adopt_lost(state, ids)
    with left_by_signal():
        if raw:
            _print_journal(state, ids[0], last=count, follow=follow)
        else:
            print_events(state, ids, after=after, last=count, follow=follow, as_json=as_json, shown=shown)


def _print_journal(state: StateDirectory, session_id: str, *, last: int | None, follow: bool) -> None:
    for block in session_events.journal(state, session_id, last=last, follow=follow):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
