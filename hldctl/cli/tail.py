"""`hldctl tail`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.conversation import approval_line, lines
from hldctl.cli.leaving import left_by_ctrl_c
from hldctl.errors import BadUsage
from hldctl.host.paths import StateDirectory
from hldctl.sessions import following, lookup, supervisors
from hldctl.states import ApprovalStatus
from hldctl.store import view
from hldctl.store.approvals import Approval
from hldctl.store.conversation import Event
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
    with left_by_ctrl_c():
        if raw:
            _print_journal(state, ids[0], last=count, follow=follow)
        else:
            print_events(state, ids, after=after, last=count, follow=follow, as_json=as_json)


def print_events(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    after: int = 0,
    last: int | None = None,
    follow: bool = False,
    as_json: bool = False,
) -> None:
    if as_json:
        for event in following.events(state, ids, after=after, last=last, follow=follow):
            output.json_value(view.event_object(event), compact=True)
        return
    if follow:
        _follow(state, ids, after=after, last=last)
    else:
        for event in following.events(state, ids, after=after, last=last):
            _print(event, prefixed=len(ids) > 1)


def _follow(state: StateDirectory, ids: Sequence[str], *, after: int, last: int | None) -> None:
    """At a terminal, what waits for permission is asked about, until the user has had enough of it."""
    from hldctl.cli import answering

    asks = answering.can_ask()
    for news in following.with_approvals(state, ids, after=after, last=last):
        _print(news, prefixed=len(ids) > 1)
        if asks and isinstance(news, Approval) and news.status == ApprovalStatus.PENDING:
            asks = answering.ask(state, news)


def _print(news: Event | Approval, *, prefixed: bool) -> None:
    prefix = f"{news.session_id[:8]}  " if prefixed else ""
    shown = [approval_line(news)] if isinstance(news, Approval) else lines(news)
    print("\n".join(prefix + line for line in shown), flush=True)


def _print_journal(state: StateDirectory, session_id: str, *, last: int | None, follow: bool) -> None:
    for block in following.journal(state, session_id, last=last, follow=follow):
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
