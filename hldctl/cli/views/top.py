"""`hldctl top`: the screen, drawn anew with each change, and what its keys do."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from rich.text import Text

from hldctl.cli import output
from hldctl.cli.render import format, top_table
from hldctl.cli.render.events_plain import approval_line
from hldctl.cli.render.permission_request import described
from hldctl.cli.render.table_layout import Cell
from hldctl.cli.terminal import keyboard, programs
from hldctl.cli.terminal.full_screen import full_screen
from hldctl.cli.terminal.rich_console import STYLES, console
from hldctl.cli.terminal.signals import left_by_signal
from hldctl.cli.views.request_screen import RequestView
from hldctl.errors import ExitCode, HldctlError
from hldctl.paths import StateDirectory
from hldctl.sessions import activity, interrupt, overview, supervisors
from hldctl.sessions.activity import Activity
from hldctl.sessions.permissions import answers
from hldctl.sessions.permissions.answers import Answer
from hldctl.sessions.process_usage import Meter, Use
from hldctl.states import ENDED, ApprovalStatus, Status
from hldctl.store import approvals, sessions
from hldctl.store.connection import current
from hldctl.store.database import changing_files, reading, refresh
from hldctl.store.session import Session
from hldctl.store.session_list import Listing, matching
from hldctl.system.watcher import Wakeup

_CALM_SECONDS = 0.2
"""Between two looks, unless a key is pressed: busy sessions commit more often than anybody reads."""
_METER_SECONDS = 2.0
"""Between two looks at CPU and memory, and for as long as clocks may stand still."""
_READING_SECONDS = 3600.0
_KEYS = {"q": "leave", "f": "follow", "a": "approve", "d": "deny", "i": "interrupt", "↑↓": "select"}
"""The first are told on any terminal."""
_LEAST_HEIGHT = 6
"""Of a terminal on which there is room for more than sessions and keys."""
_SHOWN = (
    "id",
    "name",
    "status",
    "title",
    "summary",
    "created_at",
    "started_at",
    "supervisor_pid",
    "host",
    "boot_id",
    "num_turns",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "effective_context_tokens",
    "context_window",
)
_LISTING = Listing(archived=True, statuses=tuple(status for status in Status if status not in ENDED), columns=_SHOWN)


_FAR = 1 << 30
_STEPS = {
    "up": -1,
    "k": -1,
    "down": 1,
    "j": 1,
    "page up": -1,
    "page down": 1,
    "home": -_FAR,
    "end": _FAR,
}
"""By how much a key moves the selection; pages are as long as the screen has room for."""


@dataclass(frozen=True)
class _Question:
    """What is done if the answer is y."""

    words: str
    act: Callable[[], str]
    view: RequestView | None = None
    """Of a request: all of it, which stands on the screen in place of the sessions."""
    approval_id: str = ""


class TopScreen:
    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._console = console()
        self._meter = Meter()
        self._sessions: Sequence[Session] = []
        self._doing: Mapping[str, Activity] = {}
        self._uses: Mapping[str, Use] = {}
        self._metered = -_METER_SECONDS
        self._selected: str | None = None
        self._first = 0
        """Which session stands in the first line of the table."""
        self._question: _Question | None = None
        self._said = ""

    def run(self) -> None:
        """Until q, or Ctrl-C."""
        with left_by_signal():
            while self._watch():
                # The terminal is the other command's for as long as that runs.
                self._follow()

    def _watch(self) -> bool:
        """Until somebody leaves, or wants to follow the selected session; says which."""
        # Any session's commit, as in `overview`.
        files = changing_files(self._state)
        with (
            full_screen(self._console, has_keys=True) as screen,
            reading(self._state),
            closing(Wakeup([*files, screen.stirred], descriptors=[sys.stdin.fileno()])) as wakeup,
        ):
            asked = self._question
            while True:
                self._look()
                lines = self._lines()
                if self._question is not None and self._question is not asked:
                    # What was typed before it could be read does not answer it.
                    keyboard.discard_typed()
                asked = self._question
                screen.draw(lines)
                keys = keyboard.pressed(_CALM_SECONDS)
                if not keys:
                    wakeup.wait(self._patience())
                    refresh(self._state)
                    keys = keyboard.pressed(0)
                for key in keys:
                    if key in ("q", "escape") and self._question is None:
                        return False
                    if key in ("f", "\n") and self._question is None and self._selected is not None:
                        return True
                    self._heed(key)
                    if self._question is not asked:
                        break

    def _look(self) -> None:
        place = self._place()
        supervisors.adopt_all_lost(self._state)
        self._sessions = matching(_LISTING)
        self._doing = activity.of_all()
        if self._patience() == 0:
            self._uses = self._meter.look(self._sessions)
            self._metered = time.monotonic()
        ids = [session.id for session in self._sessions]
        if self._selected not in ids:
            # What has ended gives its place to the next.
            self._selected = ids[min(place, len(ids) - 1)] if ids else None
        self._drop_resolved()

    def _drop_resolved(self) -> None:
        """Ask no more about a request that was answered elsewhere, or that nobody waits for."""
        if self._question is None or self._question.view is None:
            return
        now = approvals.get(current(), self._question.approval_id)
        if now is None or now.status != ApprovalStatus.PENDING:
            self._question = None
            self._said = "its session was deleted" if now is None else approval_line(now, elsewhere=True)

    def _patience(self) -> float:
        """Seconds; where nothing runs hardly anything but a change is waited for."""
        left = max(0.0, self._metered + _METER_SECONDS - time.monotonic())
        return left if self._sessions else overview.IDLE_SECONDS

    def _heed(self, key: str) -> None:
        self._said = ""
        if self._question is not None:
            self._answer(self._question, key)
        elif key in _STEPS:
            self._select(_STEPS[key] * (self._room() if key.startswith("page") else 1))
        elif key in ("a", "d"):
            self._question = self._answering(allows=key == "a")
        elif key == "i" and self._selected is not None:
            self._question = self._interrupting(self._selected)

    def _answer(self, question: _Question, key: str) -> None:
        if question.view is not None and (question.view.press(key) or (key == "y" and not question.view.end_was_seen)):
            return
        self._question = None
        if key == "y":
            self._said = question.act()

    def _select(self, step: int) -> None:
        if self._sessions:
            self._selected = self._sessions[max(0, min(self._place() + step, len(self._sessions) - 1))].id

    def _answering(self, *, allows: bool) -> _Question | None:
        doing = self._doing.get(self._selected or "")
        if doing is None or doing.approval_id is None:
            self._said = "it waits for no permission"
            return None
        request = approvals.get(current(), doing.approval_id)
        if request is None:
            return None
        return _Question(
            "approve? y/n" if allows else "deny? y/n",
            lambda: self._tried(lambda: answers.answer(self._state, request.id, Answer(allows), "top")),
            RequestView(described(request, sessions.get(request.session_id))),
            request.id,
        )

    def _interrupting(self, session_id: str) -> _Question:
        return _Question(
            f"interrupt {session_id[:8]}",
            lambda: self._tried(lambda: interrupt.interrupt(self._state, [session_id], await_end=False)),
        )

    def _tried(self, act: Callable[[], object]) -> str:
        try:
            act()
        except HldctlError as error:
            return str(error)
        return ""

    def _follow(self) -> None:
        self._said = ""
        ended = programs.run_in_foreground([sys.executable, "-P", "-m", "hldctl", "tail", "-f", str(self._selected)])
        if ended != ExitCode.INTERRUPTED:
            output.note("any key leads back")
            with keyboard.single_keys():
                keyboard.pressed(_READING_SECONDS)

    def _lines(self) -> list[Text]:
        width, height = self._console.size
        if self._question is not None and self._question.view is not None:
            return self._question.view.drawn(width, height, self._question.words)
        now, room = time.time(), self._room()
        place = self._place()
        # Moved no further than is needed to keep the selected one on the screen, and no line is left empty.
        self._first = max(place - room + 1, min(self._first, place, len(self._sessions) - room), 0)
        # Of all sessions: the columns stay where they are while it scrolls.
        header, *rows = top_table.lines(
            self._sessions, self._doing, self._uses, selected=self._selected, width=width, now=now
        )
        shown = rows[self._first : self._first + room]
        if height < _LEAST_HEIGHT:
            return [*shown, self._footer(width)]
        if not shown:
            header = Text("nothing runs; `hldctl launch` starts a session", "dim")
        drawn = [self._summary(now), header, *shown, self._elsewhere(len(shown)), self._footer(width)]
        for line in drawn:
            line.truncate(width, overflow="ellipsis")
        return drawn

    def _room(self) -> int:
        """How many sessions the screen shows at once."""
        height = self._console.height
        # The line above, the header, and the two below.
        return max(1, height - (1 if height < _LEAST_HEIGHT else 4))

    def _place(self) -> int:
        ids = [session.id for session in self._sessions]
        return ids.index(self._selected) if self._selected in ids else 0

    def _summary(self, now: float) -> Text:
        counts = Counter(Status(session.status) for session in self._sessions)
        parts = [
            Text(f"{counts[status]} {status.replace('_', ' ')}", STYLES[status]) for status in Status if counts[status]
        ]
        if parts:
            use = [self._uses.get(session.id, Use()) for session in self._sessions]
            memory = format.count(sum(each.memory for each in use))
            parts += [Text(f"{sum(each.cpu_percent for each in use):.0f}% CPU, {memory}B")]
            parts += [Text(time.strftime("%H:%M:%S", time.localtime(now)), "dim")]
        return Text("   ").join(parts)

    def _elsewhere(self, shown: int) -> Text:
        above, below = self._first, len(self._sessions) - self._first - shown
        parts = [*([f"{above} above"] if above else []), *([f"{below} below"] if below else [])]
        return Text(f"… {', '.join(parts)}" if parts else "", "dim")

    def _footer(self, width: int) -> Text:
        if self._question is not None:
            # Whatever is asked about, it is told how to answer.
            line = Cell(Text(self._question.words), Text("? y/n")).drawn(width)
            line.stylize("bold yellow")
            return line
        if self._said:
            return Text(self._said, "yellow")
        return Text(_keys(width), "dim")


def _keys(width: int) -> str:
    """As many as there is room for."""
    words = [f"{key} {does}" for key, does in _KEYS.items()]
    while len(words) > 1 and len("  ".join(words)) > width:
        words.pop()
    return "  ".join(words)
