"""`hldctl tail`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.conversation import approval_line, lines
from hldctl.cli.detail import Detail, Shown
from hldctl.cli.leaving import left_by_signal
from hldctl.cli.screen import is_drawn
from hldctl.cli.whole import whole
from hldctl.errors import BadUsage
from hldctl.host.paths import StateDirectory
from hldctl.sessions import following, lookup, supervisors
from hldctl.states import ApprovalStatus
from hldctl.store import view
from hldctl.store.approvals import Approval
from hldctl.store.conversation import Event
from hldctl.store.database import reading

_ALL = Shown()


def command(
    sessions: Annotated[list[str], typer.Argument(metavar="ID…", help="The sessions to read.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until they have ended.")] = False,
    count: Annotated[
        int | None, typer.Option("-n", parser=whole(0), metavar="N", help="Only the last N events.")
    ] = None,
    after: Annotated[int, typer.Option(parser=whole(0), metavar="SEQ", help="Only events behind this number.")] = 0,
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
        ids = [lookup.find(words).id for words in sessions]
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
        for event in following.events(state, ids, after=after, last=last, follow=follow):
            output.json_value(view.event_object(event), compact=True)
    elif is_drawn():
        # It loads what it draws with, and nobody else does.
        from hldctl.cli import following_screen

        following_screen.show(state, ids, following_screen.Part(after, last, follow), shown)
    elif not follow:
        for event in following.events(state, ids, after=after, last=last):
            _print(event, shown, prefixed=len(ids) > 1)
    elif shown.live and len(ids) == 1:
        _follow_live(state, ids[0], after=after, last=last, shown=shown)
    else:
        _follow(state, ids, after=after, last=last, shown=shown)


def _follow(state: StateDirectory, ids: Sequence[str], *, after: int, last: int | None, shown: Shown) -> None:
    """At a terminal, what waits for permission is asked about, until the user has had enough of it."""
    from hldctl.cli import answering

    if not answering.can_ask():
        for news in following.with_approvals(state, ids, after=after, last=last):
            _print(news, shown, prefixed=len(ids) > 1)
        return
    from hldctl.cli.asking import Asker
    from hldctl.cli.asking_plain import PlainSurface

    with reading(state), Asker(state, surface := PlainSurface()) as asker:
        for one in following.rounds(state, ids, after=after, last=last, inputs=asker.inputs):
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
    from hldctl.cli.live_text import LiveText
    from hldctl.sessions.writing import Writing

    live = LiveText(lambda news: _print(news, shown, prefixed=False))
    writing = Writing(state.session(session_id).journal)
    is_first = True
    for one in following.rounds(state, [session_id], after=after, last=last):
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
    for block in following.journal(state, session_id, last=last, follow=follow):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
