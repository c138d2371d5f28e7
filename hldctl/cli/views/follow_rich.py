"""The conversation of one or more sessions on a terminal, followed above live rows at the bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from hldctl.claude.partial_messages import PieceKind
from hldctl.cli import output, resumption
from hldctl.cli.render import markdown, status_line
from hldctl.cli.render.events.plain import DetailLevels
from hldctl.cli.render.events.rich import ConversationScreen
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal import rich_console
from hldctl.cli.terminal.rich_console import Colour
from hldctl.cli.views.approval_prompt import Asker
from hldctl.cli.views.approval_prompt_rich import LiveSurface, live_line
from hldctl.paths import StateDirectory
from hldctl.sessions.inspect import follow as session_events
from hldctl.sessions.inspect.follow import EventRange
from hldctl.sessions.inspect.partial_output import PartialOutput
from hldctl.sessions.inspect.tool_calls import ToolCalls
from hldctl.states import ApprovalStatus, EventType
from hldctl.store import sessions
from hldctl.store.database import open_for_reading
from hldctl.store.events import Event
from hldctl.store.session import Session

if TYPE_CHECKING:
    from rich.console import Console

_PREFIX_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
# Columns.
_MAX_PREFIX_WIDTH = 16
_PARTIAL = "--include-partial-messages"


def show(
    state: StateDirectory,
    ids: Sequence[str],
    wanted: EventRange,
    levels: DetailLevels,
    *,
    follow: bool = False,
    colour: Colour = Colour.AUTO,
) -> None:
    """Print or follow the events of the sessions, and print how they ended."""
    console = rich_console.console(colour)
    console.push_theme(markdown.THEME)
    with open_for_reading(state):
        progress = sessions.progress(ids)
        prefixes = _prefixes([progress[session_id] for session_id in dict.fromkeys(ids)])
        views = {
            session_id: _View(
                progress[session_id],
                ConversationScreen(console, progress[session_id], ToolCalls(session_id), levels, prefix),
            )
            for session_id, prefix in prefixes.items()
        }
        if follow and rich_console.can_draw():
            _follow(state, console, views, prefixes, wanted, levels)
        elif follow:
            _follow_without_terminal(state, views, wanted)
        else:
            _draw(session_events.conversation_events(state, list(views), wanted), views)


def print_end(state: StateDirectory, session_id: str) -> None:
    """Print the closing line of a session that ended after it was followed."""
    with open_for_reading(state):
        session = sessions.progress([session_id])[session_id]
    rich_console.console().print(status_line.closing_line(session))


def _draw(events: Iterator[Event], views: dict[str, _View]) -> None:
    for event in events:
        print(views[event.session_id].screen.render(event), end="", flush=True)
    for view in views.values():
        print(view.render_end(), end="")


def _follow_without_terminal(state: StateDirectory, views: dict[str, _View], wanted: EventRange) -> None:
    """Follow the events for a pager or a file, which have no live rows."""
    for update in session_events.updates(state, list(views), wanted):
        for item in update.events:
            screen = views[item.session_id].screen
            print(screen.render(item) if isinstance(item, Event) else screen.render_approval(item), end="", flush=True)
            resumption.mark_item(item)
        for session_id, session in sessions.progress(list(update.ended_ids)).items():
            views[session_id].session = session
            print(views[session_id].render_end(), end="", flush=True)


@dataclass
class _View:
    """A session, and what its rows and lines are made of."""

    session: Session
    screen: ConversationScreen
    writing: PartialOutput | None = None
    draft: str = ""
    turns: int = 0
    is_its_turn: bool = field(default=False)

    def render_end(self) -> str:
        """Return the calls without a result, and the closing line if the session has ended."""
        calls = self.screen.render_open_calls()
        if self.session.completed_at is None:
            return calls
        return calls + self.screen.render_end(status_line.closing_line(self.session))

    def count_turns(self, event: Event) -> None:
        """Count turns: each answer of the model, however many events it consists of."""
        if event.parent_tool_use_id is None and event.event_type != EventType.SYSTEM:
            was_its_turn, self.is_its_turn = self.is_its_turn, event.role == "assistant"
            self.turns += self.is_its_turn and not was_its_turn

    def read_draft(self) -> None:
        for piece in self.writing.read_pieces() if self.writing is not None else ():
            self.draft = self.draft + piece.text if piece.kind is PieceKind.MORE else piece.text


def _follow(
    state: StateDirectory,
    console: Console,
    views: dict[str, _View],
    prefixes: dict[str, Text],
    wanted: EventRange,
    levels: DetailLevels,
) -> None:
    can_ask = is_interactive()
    for session_id, view in views.items():
        if levels.live or _PARTIAL in (view.session.extra_arguments or ()):
            view.writing = PartialOutput(state.session(session_id).journal)
    alive = dict(views)
    with live_line(console) as live, Asker(state, surface := LiveSurface(console, live)) as asker:
        live.stop_context = asker.stop_context
        for update in session_events.updates(state, list(views), wanted, inputs=asker.inputs):
            for item in update.events:
                view = views[item.session_id]
                if isinstance(item, Event):
                    view.count_turns(item)
                    live.write(view.screen.render(item))
                elif not (item.status == ApprovalStatus.PENDING and can_ask and asker.enqueue(item)):
                    live.write(view.screen.render_approval(item, elsewhere=asker.drop(item.id)))
                resumption.mark_item(item)
            for session_id, session in sessions.progress(list(alive)).items():
                alive[session_id].session = session
            for session_id in update.ended_ids:
                view = alive.pop(session_id)
                asker.drop_session(session_id)
                live.write(view.render_end())
            surface.show([row for view in alive.values() for row in _rows(view, prefixes[view.session.id], console)])
            asker.step()


def _rows(view: _View, prefix: Text, console: Console) -> list[Text]:
    """Return the live rows of a session."""
    view.read_draft()
    width = max(10, console.width - prefix.cell_len)
    rows = status_line.rows(view.session, view.screen.calls.open, view.draft, view.turns, width)
    return [Text.assemble(prefix, row) for row in rows]


def _prefixes(followed: Sequence[Session]) -> dict[str, Text]:
    """Return the text in front of each session's lines; empty if there is only one session."""
    if len(followed) == 1:
        return {followed[0].id: Text()}
    names = [output.truncate(session.name or session.title or "", _MAX_PREFIX_WIDTH) for session in followed]
    # An id where a name is missing, or where several sessions have the same.
    names = [
        name if name and names.count(name) == 1 else session.id[:8]
        for session, name in zip(followed, names, strict=True)
    ]
    width = max(len(name) for name in names)
    return {
        session.id: Text(f"{name:<{width}} │ ", _PREFIX_COLOURS[index % len(_PREFIX_COLOURS)])
        for index, (session, name) in enumerate(zip(followed, names, strict=True))
    }
