"""The conversation of one or more sessions, printed or followed, as plain lines or JSON."""

from __future__ import annotations

from collections.abc import Sequence

from hldctl.cli import output
from hldctl.cli.render.events_plain import Detail, DetailLevels, approval_line, is_shown_with_result, lines
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal.rich_console import can_draw
from hldctl.paths import StateDirectory
from hldctl.sessions.inspect import follow as session_events
from hldctl.states import ApprovalStatus, NoteKind
from hldctl.store import approvals, json_view
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import open_for_reading
from hldctl.store.events import Event

_ALL = DetailLevels()


def print_events(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    after: int = 0,
    last: int | None = None,
    follow: bool = False,
    as_json: bool = False,
    shown: DetailLevels = _ALL,
) -> None:
    """Print events after the id `after`, or the last `last` events; with `follow`, then new ones until all ended."""
    if as_json:
        for event in session_events.conversation_events(state, ids, after=after, last=last, follow=follow):
            output.print_json(json_view.event_object(event), compact=True)
    elif can_draw():
        # Imported here: rich is slow to import.
        from hldctl.cli.views import follow_rich

        follow_rich.show(state, ids, follow_rich.EventRange(after, last, follow), shown)
    elif not follow:
        for event in session_events.conversation_events(state, ids, after=after, last=last):
            _print(event, shown, prefixed=len(ids) > 1)
    elif shown.live and len(ids) == 1:
        _follow_live(state, ids[0], after=after, last=last, levels=shown)
    else:
        _follow(state, ids, after=after, last=last, levels=shown)


def _follow(state: StateDirectory, ids: Sequence[str], *, after: int, last: int | None, levels: DetailLevels) -> None:
    """Follow the events; at an interactive terminal, also prompt for permission requests until the user quits."""
    if not is_interactive():
        for item in session_events.events_and_requests(state, ids, after=after, last=last):
            _print(item, levels, prefixed=len(ids) > 1)
        return
    from hldctl.cli.views.approval_prompt import Asker
    from hldctl.cli.views.approval_prompt_plain import PlainSurface

    with open_for_reading(state), Asker(state, surface := PlainSurface()) as asker:
        for update in session_events.updates(state, ids, after=after, last=last, inputs=asker.inputs):
            for item in update.events:
                surface.interrupt()
                elsewhere = isinstance(item, Approval) and asker.drop(item.id)
                _print(item, levels, prefixed=len(ids) > 1, elsewhere=elsewhere)
                if isinstance(item, Approval) and item.status == ApprovalStatus.PENDING:
                    asker.enqueue(item)
            for session_id in update.ended_ids:
                asker.drop_session(session_id)
            asker.step()


def _follow_live(state: StateDirectory, session_id: str, *, after: int, last: int | None, levels: DetailLevels) -> None:
    """Follow the events of a session, and print text while it is written."""
    from hldctl.cli.views.streaming_text import LiveText
    from hldctl.sessions.inspect.partial_output import PartialOutput

    live = LiveText(lambda item: _print(item, levels, prefixed=False))
    writing = PartialOutput(state.session(session_id).journal)
    is_first = True
    for update in session_events.updates(state, [session_id], after=after, last=last):
        for piece in writing.read_pieces():
            live.add_piece(piece)
            # Events that exist already are printed first, from the database.
            if not is_first:
                live.print_new_text()
        for item in update.events:
            live.add(item)
        live.print_new_text()
        is_first = False
    live.close()
    writing.close()


def _print(item: Event | Approval, levels: DetailLevels, *, prefixed: bool, elsewhere: bool = False) -> None:
    prefix = f"{item.session_id[:8]}  " if prefixed else ""
    if isinstance(item, Event):
        output_lines = _event_lines(item, levels)
    else:
        output_lines = [] if is_shown_with_result(item, levels) else [approval_line(item, elsewhere=elsewhere)]
    if output_lines:
        print("\n".join(prefix + line for line in output_lines), flush=True)


def _event_lines(event: Event, levels: DetailLevels) -> list[str]:
    """Return the event's lines. A denial by an answer is reported once, with the result of the call."""
    if event.note_kind == NoteKind.PERMISSION_DENIED and levels.tools is not Detail.NONE:
        requests = approvals.session_approvals(current_connection(), event.session_id)
        if any(request.status == ApprovalStatus.DENIED for request in requests):
            return []
    if not event.is_error:
        return lines(event, levels)
    # Imported here: most conversations that are read have no error.
    from hldctl.sessions.inspect.tool_calls import denied_request

    return lines(event, levels, denied_request(event.session_id, event.tool_result_for_id))
