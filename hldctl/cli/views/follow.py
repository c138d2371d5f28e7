"""Events of conversations printed as plain lines or JSON, and followed; `follow_rich` draws them."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.cli import output
from hldctl.cli.render.events_plain import Shown, approval_line, lines
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal.rich_console import is_drawn
from hldctl.paths import StateDirectory
from hldctl.sessions import follow as session_events
from hldctl.states import ApprovalStatus
from hldctl.store import json_view
from hldctl.store.approvals import Approval
from hldctl.store.database import reading
from hldctl.store.events import Event

_ALL = Shown()


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
        from hldctl.cli.views import follow_rich

        follow_rich.show(state, ids, follow_rich.Part(after, last, follow), shown)
    elif not follow:
        for event in session_events.events(state, ids, after=after, last=last):
            _print(event, shown, prefixed=len(ids) > 1)
    elif shown.live and len(ids) == 1:
        _follow_live(state, ids[0], after=after, last=last, shown=shown)
    else:
        _follow(state, ids, after=after, last=last, shown=shown)


def _follow(state: StateDirectory, ids: Sequence[str], *, after: int, last: int | None, shown: Shown) -> None:
    """At a terminal, what waits for permission is asked about, until the user has had enough of it."""
    if not is_interactive():
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
