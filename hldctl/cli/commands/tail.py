"""`hldctl tail`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hldctl.cli.params import bounded_int
from hldctl.cli.render.events_plain import Detail, DetailLevels
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.cli.views.follow import print_events
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup, supervisors
from hldctl.sessions.inspect import follow as session_events
from hldctl.store.database import open_for_reading


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to read.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the sessions until they have ended.")] = False,
    count: Annotated[
        int | None, typer.Option("-n", parser=bounded_int(0), metavar="N", help="Only the last N events.")
    ] = None,
    after: Annotated[
        int, typer.Option(parser=bounded_int(0), metavar="SEQ", help="Only events after this number.")
    ] = 0,
    thinking: Annotated[
        Detail | None,
        typer.Option(help="How much thinking to show; brief is the first line. Default at a terminal: brief."),
    ] = None,
    tools: Annotated[
        Detail | None,
        typer.Option(
            help="How much of tool calls to show; full is the whole input and result. Default at a terminal: brief."
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="With -f: show text while it is written, if launched with `-- --include-partial-messages`."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the output of Claude Code, byte for byte.")] = False,
) -> None:
    """Print conversations. Ctrl-C stops following; the session continues.

    At a terminal the conversation is formatted; with -f, a status line shows what is happening. In a pipe: plain text
    with full thinking and tool results, unless --thinking or --tools is given.
    """
    detail = DetailLevels(thinking, tools, live)
    if raw and (as_json or after or len(sessions) > 1):
        raise BadUsage("--raw prints the journal of one session; it only works with -f and -n.")
    if (raw or as_json) and detail != DetailLevels():
        raise BadUsage("--json and --raw print everything; they do not work with --thinking, --tools or --live.")
    if live and not follow:
        raise BadUsage("--live only works with -f.")
    state = StateDirectory.from_environment()
    with open_for_reading(state):
        ids = [lookup.find_session(ref).id for ref in sessions]
        supervisors.adopt_lost(state, ids)
    with exit_on_signal():
        if raw:
            _print_journal(state, ids[0], last=count, follow=follow)
        else:
            print_events(state, ids, after=after, last=count, follow=follow, as_json=as_json, shown=detail)


def _print_journal(state: StateDirectory, session_id: str, *, last: int | None, follow: bool) -> None:
    for block in session_events.journal_blocks(state, session_id, last=last, follow=follow):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
