"""Conversations on a terminal: drawn as they are, and followed above a live last line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from hldctl.claude.partial_messages import PieceKind
from hldctl.cli import output
from hldctl.cli.render import markdown, status_line
from hldctl.cli.render.events_plain import Shown
from hldctl.cli.render.events_rich import ConversationScreen
from hldctl.cli.standard_streams import is_interactive
from hldctl.cli.terminal import rich_console
from hldctl.cli.views.approval_prompt import Asker
from hldctl.cli.views.approval_prompt_rich import DrawnSurface, live_line
from hldctl.paths import StateDirectory
from hldctl.sessions import follow
from hldctl.sessions.partial_output import Writing
from hldctl.states import ApprovalStatus, EventType
from hldctl.store import sessions
from hldctl.store.database import reading
from hldctl.store.events import Event
from hldctl.store.session import Session

if TYPE_CHECKING:
    from rich.console import Console

_PREFIX_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
_LONGEST_NAME = 16
_PARTIAL = "--include-partial-messages"


@dataclass(frozen=True)
class Part:
    """Which of the events, and whether those to come."""

    after: int = 0
    last: int | None = None
    follow: bool = False


def show(state: StateDirectory, ids: Sequence[str], part: Part, shown: Shown) -> None:
    console = rich_console.console()
    console.push_theme(markdown.THEME)
    with reading(state):
        found = sessions.progress(ids)
        prefixes = _prefixes([found[session_id] for session_id in dict.fromkeys(ids)])
        followed = {
            session_id: _Followed(found[session_id], ConversationScreen(console, found[session_id], shown, prefix))
            for session_id, prefix in prefixes.items()
        }
        if part.follow:
            _follow(state, console, followed, prefixes, part, shown)
        else:
            _draw(follow.events(state, list(followed), after=part.after, last=part.last), followed)


def print_end(state: StateDirectory, session_id: str) -> None:
    """The closing line of a session that ended after it was followed."""
    with reading(state):
        session = sessions.progress([session_id])[session_id]
    rich_console.console().print(status_line.closing(session))


def _draw(events: Iterator[Event], followed: dict[str, _Followed]) -> None:
    for event in events:
        print(followed[event.session_id].screen.drawn(event), end="", flush=True)
    for one in followed.values():
        print(one.screen.drawn_rest(), end="")


@dataclass
class _Followed:
    """A session while it is followed."""

    session: Session
    screen: ConversationScreen
    writing: Writing | None = None
    draft: str = ""
    turns: int = 0
    is_its_turn: bool = field(default=False)

    def see(self, event: Event) -> None:
        """Counts turns: each answer of the model, in however many parts it comes."""
        if event.parent_tool_use_id is None and event.event_type != EventType.SYSTEM:
            spoke, self.is_its_turn = self.is_its_turn, event.role == "assistant"
            self.turns += self.is_its_turn and not spoke

    def read_draft(self) -> None:
        for piece in self.writing.read() if self.writing is not None else ():
            self.draft = self.draft + piece.text if piece.kind is PieceKind.MORE else piece.text


def _follow(
    state: StateDirectory,
    console: Console,
    followed: dict[str, _Followed],
    prefixes: dict[str, Text],
    part: Part,
    shown: Shown,
) -> None:
    asks = is_interactive()
    for session_id, one in followed.items():
        if shown.live or _PARTIAL in (one.session.extra_arguments or ()):
            one.writing = Writing(state.session(session_id).journal)
    alive = dict(followed)
    with live_line(console) as live, Asker(state, surface := DrawnSurface(state, console, live)) as asker:
        live.while_stopped = asker.stopped
        rounds = follow.rounds(state, list(followed), after=part.after, last=part.last, inputs=asker.inputs)
        for round_ in rounds:
            for news in round_.news:
                one = followed[news.session_id]
                if isinstance(news, Event):
                    one.see(news)
                    live.write(one.screen.drawn(news))
                elif not (news.status == ApprovalStatus.PENDING and asks and asker.take(news)):
                    live.write(one.screen.drawn_approval(news, elsewhere=asker.drop(news.id)))
            for session_id, session in sessions.progress(list(alive)).items():
                alive[session_id].session = session
            for session_id in round_.ended:
                one = alive.pop(session_id)
                asker.drop_session(session_id)
                live.write(one.screen.drawn_rest() + one.screen.drawn_end(status_line.closing(one.session)))
            surface.show([row for one in alive.values() for row in _rows(one, prefixes[one.session.id], console)])
            asker.step()


def _rows(one: _Followed, prefix: Text, console: Console) -> list[Text]:
    one.read_draft()
    width = max(10, console.width - prefix.cell_len)
    rows = status_line.rows(one.session, one.screen.calls.open, one.draft, one.turns, width)
    return [Text.assemble(prefix, row) for row in rows]


def _prefixes(found: Sequence[Session]) -> dict[str, Text]:
    """One session needs none."""
    if len(found) == 1:
        return {found[0].id: Text()}
    names = [output.shortened(session.name or session.id[:8], _LONGEST_NAME) for session in found]
    width = max(len(name) for name in names)
    return {
        session.id: Text(f"{name:<{width}} │ ", _PREFIX_COLOURS[index % len(_PREFIX_COLOURS)])
        for index, (session, name) in enumerate(zip(found, names, strict=True))
    }
