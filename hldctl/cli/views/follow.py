"""The conversation of one or more sessions, printed or followed, as plain lines or JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hldctl.cli import output, resumption
from hldctl.cli.render import ending
from hldctl.cli.render.events import tool_calls
from hldctl.cli.render.events.plain import Detail, DetailLevels, approval_line, is_shown_with_result, lines
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal.rich_console import Colour, can_draw
from hldctl.paths import StateDirectory
from hldctl.sessions.inspect import follow as session_events
from hldctl.sessions.inspect.follow import ALL_EVENTS, EventRange
from hldctl.sessions.inspect.tool_calls import ToolCalls, denied_request
from hldctl.states import ApprovalStatus, NoteKind
from hldctl.store import approvals, json_view, sessions
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import open_for_reading
from hldctl.store.events import Event

_ALL = DetailLevels()


def print_events(
    state: StateDirectory,
    ids: Sequence[str],
    wanted: EventRange = ALL_EVENTS,
    *,
    follow: bool = False,
    as_json: bool = False,
    shown: DetailLevels = _ALL,
    colour: Colour = Colour.AUTO,
    quiet: bool = False,
) -> None:
    """Print the events, and how each session ended; with `follow`, then new ones until all ended.

    With `quiet`, standard error only gets problems.
    """
    if as_json:
        for event in session_events.conversation_events(state, ids, wanted, follow=follow):
            output.print_json(json_view.event_object(event), compact=True)
            resumption.mark_item(event)
    elif can_draw() or colour is Colour.ALWAYS:
        # Imported here: rich is slow to import.
        from hldctl.cli.views import follow_rich

        follow_rich.show(state, ids, wanted, shown, follow=follow, colour=colour)
    else:
        with open_for_reading(state):
            _PlainView(state, ids, shown, quiet=quiet).print(wanted, follow=follow)


class _PlainView:
    """Plain lines: data to standard output, and how sessions ended to standard error."""

    def __init__(self, state: StateDirectory, ids: Sequence[str], levels: DetailLevels, *, quiet: bool) -> None:
        self._state = state
        self._ids = list(dict.fromkeys(ids))
        self._levels = levels
        self._is_quiet = quiet
        self._calls = {session_id: ToolCalls(session_id) for session_id in ids}

    def print(self, wanted: EventRange, *, follow: bool) -> None:
        if not follow:
            for event in session_events.conversation_events(self._state, self._ids, wanted):
                self._print(event)
            self._print_ends(self._ids)
        elif self._levels.live and len(self._ids) == 1:
            self._follow_live(wanted)
        elif is_interactive():
            self._follow_and_ask(wanted)
        else:
            for update in session_events.updates(self._state, self._ids, wanted):
                for item in update.events:
                    self._print(item)
                self._print_ends(update.ended_ids)

    def _follow_and_ask(self, wanted: EventRange) -> None:
        """Follow the events at an interactive terminal: prompt for permission requests until the user quits."""
        from hldctl.cli.views.approval_prompt import Asker
        from hldctl.cli.views.approval_prompt_plain import PlainSurface

        with Asker(self._state, surface := PlainSurface()) as asker:
            for update in session_events.updates(self._state, self._ids, wanted, inputs=asker.inputs):
                for item in update.events:
                    surface.interrupt()
                    self._print(item, elsewhere=isinstance(item, Approval) and asker.drop(item.id))
                    if isinstance(item, Approval) and item.status == ApprovalStatus.PENDING:
                        asker.enqueue(item)
                for session_id in update.ended_ids:
                    asker.drop_session(session_id)
                self._print_ends(update.ended_ids)
                asker.step()

    def _follow_live(self, wanted: EventRange) -> None:
        """Follow the events of a session, and print text while it is written."""
        from hldctl.cli.views.streaming_text import LiveText
        from hldctl.sessions.inspect.partial_output import PartialOutput

        (session_id,) = self._ids
        live = LiveText(self._print)
        writing = PartialOutput(self._state.session(session_id).journal)
        is_first = True
        for update in session_events.updates(self._state, [session_id], wanted):
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
        self._print_ends([session_id])

    def _print(self, item: Event | Approval, *, elsewhere: bool = False) -> None:
        prefix = f"{item.session_id[:8]}  " if len(self._ids) > 1 else ""
        if isinstance(item, Event):
            output_lines = self._event_lines(item)
        elif is_shown_with_result(item, self._levels):
            output_lines = []
        else:
            output_lines = [approval_line(item, elsewhere=elsewhere)]
        if output_lines:
            print("\n".join(prefix + line for line in output_lines), flush=True)
        resumption.mark_item(item)

    def _event_lines(self, event: Event) -> list[str]:
        """Return the event's lines. A denial by an answer is reported once, with the result of the call."""
        if event.note_kind == NoteKind.PERMISSION_DENIED and self._levels.tools is not Detail.NONE:
            requests = approvals.session_approvals(current_connection(), event.session_id)
            if any(request.status == ApprovalStatus.DENIED for request in requests):
                return []
        denied = denied_request(event.session_id, event.tool_result_for_id) if event.is_error else None
        return lines(event, self._levels, subagent=self._subagent(event), denied=denied)

    def _subagent(self, event: Event) -> str:
        """Return the description of the subagent that an event belongs to; empty for the main conversation."""
        if event.parent_tool_use_id is None:
            return ""
        parent = self._calls[event.session_id].parent(event)
        return "subagent" if parent is None else tool_calls.subagent_name(parent)

    def _print_ends(self, ids: Collection[str]) -> None:
        for session in sessions.progress(list(ids)).values():
            if (problem := ending.problem(session)) is not None:
                output.print_note(problem)
            elif session.completed_at is not None and not self._is_quiet:
                output.print_note(f"{ending.label(session)} {ending.sentence(session)}")
            if (undelivered := ending.undelivered(session)) is not None:
                output.print_note(undelivered)
