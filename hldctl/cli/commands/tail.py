"""`hldctl tail`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.params import bounded_int
from hldctl.cli.render.events_plain import Detail, Shown, approval_line, lines
from hldctl.cli.terminal.rich_console import is_drawn
from hldctl.cli.terminal.signals import left_by_signal
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions import follow as session_events
from hldctl.sessions import lookup, supervisors
from hldctl.states import ApprovalStatus
from hldctl.store import json_view
from hldctl.store.approvals import Approval
from hldctl.store.database import reading
from hldctl.store.events import Event

_ALL = Shown()


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


def print_events(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    after: int = 0,
    last: int | None = None,
    follow: bool = False,
    as_json: bool = False,
    shown: Shown = _ALL,
) -> None:
    if as_json:
        for event in session_events.events(state, ids, after=after, last=last, follow=follow):
            output.json_value(json_view.event_object(event), compact=True)
    elif is_drawn():
        # It loads what it draws with, and nobody else does.
        from hldctl.cli.views import follow as follow_view

        follow_view.show(state, ids, follow_view.Part(after, last, follow), shown)
    elif not follow:
        for event in session_events.events(state, ids, after=after, last=last):
            _print(event, shown, prefixed=len(ids) > 1)
    elif shown.live and len(ids) == 1:
        _follow_live(state, ids[0], after=after, last=last, shown=shown)
    else:
        _follow(state, ids, after=after, last=last, shown=shown)


def _follow(state: StateDirectory, ids: Sequence[str], *, after: int, last: int | None, shown: Shown) -> None:
    """At a terminal, what waits for permission is asked about, until the user has had enough of it."""
    from hldctl.cli.views import answer_requests

    if not answer_requests.can_ask():
        for news in session_events.with_approvals(state, ids, after=after, last=last):
            _print(news, shown, prefixed=len(ids) > 1)
        return
    from hldctl.cli.views.approval_prompt import Asker
    from hldctl.cli.views.approval_prompt_plain import PlainSurface

    with reading(state), Asker(state, surface := PlainSurface()) as asker:
        for one in session_events.rounds(state, ids, after=after, last=last, inputs=asker.inputs):
            for news in one.news:
                surface.interrupt()
                elsewhere = isinstance(news, Approval) and asker.drop(news.id)
                _print(news, shown, prefixed=len(ids) > 1, elsewhere=elsewhere)
                if isinstance(news, Approval) and news.status == ApprovalStatus.PENDING:
                    asker.take(news)
            for session_id in one.ended:
                asker.drop_session(session_id)
            asker.step()


def _follow_live(state: StateDirectory, session_id: str, *, after: int, last: int | None, shown: Shown) -> None:
    from hldctl.cli.views.streaming_text import LiveText
    from hldctl.sessions.partial_output import Writing

    live = LiveText(lambda news: _print(news, shown, prefixed=False))
    writing = Writing(state.session(session_id).journal)
    is_first = True
    for one in session_events.rounds(state, [session_id], after=after, last=last):
        for piece in writing.read():
            live.take(piece)
            # What is there already comes first, from the database.
            if not is_first:
                live.print_written()
        for news in one.news:
            live.tell(news)
        live.print_written()
        is_first = False
    live.close()
    writing.close()


def _print(news: Event | Approval, shown: Shown, *, prefixed: bool, elsewhere: bool = False) -> None:
    prefix = f"{news.session_id[:8]}  " if prefixed else ""
    told = [approval_line(news, elsewhere=elsewhere)] if isinstance(news, Approval) else lines(news, shown)
    if told:
        print("\n".join(prefix + line for line in told), flush=True)


def _print_journal(state: StateDirectory, session_id: str, *, last: int | None, follow: bool) -> None:
    for block in session_events.journal(state, session_id, last=last, follow=follow):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
