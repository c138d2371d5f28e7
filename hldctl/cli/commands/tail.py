"""`hldctl tail`."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from hldctl.cli import elsewhere, resumption
from hldctl.cli.click_classes import Command
from hldctl.cli.elsewhere import View
from hldctl.cli.params import bounded_int, seconds_parser
from hldctl.cli.render.events.plain import Detail, DetailLevels
from hldctl.cli.resumption import Position
from hldctl.cli.terminal.rich_console import Colour
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.cli.views.follow import print_events
from hldctl.errors import BadUsage, ExitCode, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup, supervisors, wait
from hldctl.sessions.inspect import follow as session_events
from hldctl.sessions.inspect.follow import EventRange, Resumed
from hldctl.store import feed
from hldctl.store import sessions as stored_sessions
from hldctl.store.database import open_for_reading


class _Command(Command):
    """Command that takes `-5` for `-n 5`, as tail(1) does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        counts = [
            ["-n", arg[1:]] if arg[1:].isdecimal() and arg[0] == "-" and before != "-n" else [arg]
            for before, arg in itertools.pairwise(["", *args[:end]])
        ]
        return super().parse_args(ctx, [*itertools.chain.from_iterable(counts), *args[end:]])


COMMAND_CLASS = _Command


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
    since: Annotated[
        float | None,
        typer.Option(parser=seconds_parser, metavar="DURATION", help="Only events of this period, such as 5m."),
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Show when each event happened; in a pipe in UTC.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="With -f: show text while it is written, if launched with `-- --include-partial-messages`."
        ),
    ] = False,
    colour: Annotated[
        Colour, typer.Option("--color", help="`always` keeps the terminal's layout in a pipe, such as to `less -R`.")
    ] = Colour.AUTO,
    exit_status: Annotated[
        bool, typer.Option("--exit-status", help="Exit with the code that `hldctl wait` has for the sessions.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the output of Claude Code, byte for byte.")] = False,
) -> None:
    """Print conversations. Ctrl-C stops following; the session continues.

    At a terminal the conversation is formatted; with -f, a status line shows what is happening. In a pipe: plain text
    with full thinking and tool results, unless --thinking or --tools is given.
    """
    detail = DetailLevels(thinking, tools, live, timestamps)
    if raw and (as_json or after or since is not None or len(sessions) > 1):
        raise BadUsage("--raw prints the journal of one session; it only works with -f and -n.")
    if (raw or as_json) and detail != DetailLevels():
        raise BadUsage("--json and --raw print everything; they do not work with --thinking, --tools, --live or -t.")
    if live and not follow:
        raise BadUsage("--live only works with -f.")
    resumed = resumption.resumed_position()
    refs = sessions if resumed is None else list(resumed.ids)
    with exit_on_signal(), elsewhere.find(refs) as view:
        state = view.state
        with open_for_reading(state):
            ids = [lookup.find_session(ref).id for ref in refs]
            supervisors.adopt_lost(state, ids)
        if raw and view.mirror is not None:
            place = elsewhere.machine_name(view, ids[0]) or "another machine"
            raise UnfitEnvironment(f"The journal is on {place}; --raw works only there.")
        if raw:
            _print_journal(state, ids[0], last=count, follow=follow)
        else:
            since_ms = None if since is None else int((time.time() - since) * 1000)
            wanted = _resumable_range(view, ids, EventRange(after, count, since_ms))
            print_events(state, ids, wanted, follow=follow, as_json=as_json, shown=detail, colour=colour)
        code = _exit_code(state, ids) if exit_status else None
    if code is not None:
        raise typer.Exit(code)


def _exit_code(state: StateDirectory, ids: Sequence[str]) -> ExitCode:
    """Return the worst exit code of those sessions that have ended."""
    with open_for_reading(state):
        return wait.worst_exit_code([session for each in ids if (session := stored_sessions.get(each)) is not None])


def _resumable_range(view: View, ids: Sequence[str], wanted: EventRange) -> EventRange:
    """Return the same range, fixed for a command that may be resumed; or where the resumed command stopped."""
    if not resumption.is_enabled():
        return wanted
    position = resumption.resumed_position()
    with open_for_reading(view.state):
        if position is None:
            # Read before the requests that are pending: later ones have a greater id.
            position = Position(tuple(ids), session_events.start_sequences(ids, wanted), feed.last_id())
        elif view.mirror is not None:
            # The feed of a replica has its own numbers.
            position = position._replace(feed=feed.last_id())
    resumption.mark_start(position)
    return EventRange(resumed=Resumed(position.reached, position.feed, position.seen))


def _print_journal(state: StateDirectory, session_id: str, *, last: int | None, follow: bool) -> None:
    position = resumption.resumed_position()
    start = session_events.journal_start(state, session_id, last) if position is None else position.offset
    resumption.mark_start(Position((session_id,), offset=start, is_last_mark=True))
    for block in session_events.journal_blocks(state, session_id, start=start, follow=follow):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
