"""`hldctl top`: the screen, drawn anew each second, and what its keys do."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from hldctl.cli import keyboard, output, quantities
from hldctl.cli.leaving import left_by_ctrl_c
from hldctl.cli.screen import STYLES, console
from hldctl.cli.top_table import table
from hldctl.errors import ExitCode, HldctlError
from hldctl.host.paths import StateDirectory
from hldctl.sessions import activity, approving, stopping, supervisors
from hldctl.sessions.activity import Activity
from hldctl.sessions.approving import Answer
from hldctl.sessions.resources import Meter, Use
from hldctl.states import ENDED, Status
from hldctl.store import sessions
from hldctl.store.database import opened
from hldctl.store.models import Session

_LOOK_SECONDS = 1.0
_READING_SECONDS = 3600.0
_KEYS = "↑↓ select  f follow  a approve  d deny  i interrupt  q leave"
_SHOWN = (
    "id",
    "name",
    "status",
    "title",
    "summary",
    "created_at",
    "started_at",
    "supervisor_pid",
    "num_turns",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "effective_context_tokens",
    "context_window",
)
_LISTING = sessions.Listing(
    archived=True, statuses=tuple(status for status in Status if status not in ENDED), columns=_SHOWN
)


@dataclass(frozen=True)
class _Question:
    """What is done if the answer is y."""

    words: str
    act: Callable[[], str]


class TopScreen:
    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._console = console()
        self._meter = Meter()
        self._sessions: Sequence[Session] = []
        self._doing: Mapping[str, Activity] = {}
        self._uses: Mapping[str, Use] = {}
        self._selected: str | None = None
        self._question: _Question | None = None
        self._said = ""

    def run(self) -> None:
        """Until q, or Ctrl-C."""
        with left_by_ctrl_c():
            while self._draw():
                # The terminal is the other command's for as long as that runs.
                self._follow()

    def _draw(self) -> bool:
        """Until somebody leaves, or wants to follow the selected session; says which."""
        with keyboard.single_keys(), Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                self._look()
                live.update(self._screen(), refresh=True)
                for key in keyboard.pressed(_LOOK_SECONDS):
                    if key in ("q", "escape") and self._question is None:
                        return False
                    if key in ("f", "\n") and self._question is None and self._selected is not None:
                        return True
                    self._heed(key)

    def _look(self) -> None:
        with opened(self._state):
            supervisors.adopt_all_lost(self._state)
            self._sessions = sessions.matching(_LISTING)
            self._doing = activity.of_all()
        self._uses = self._meter.look(self._sessions)
        ids = [session.id for session in self._sessions]
        if self._selected not in ids:
            self._selected = ids[0] if ids else None

    def _heed(self, key: str) -> None:
        self._said = ""
        if self._question is not None:
            question, self._question = self._question, None
            self._said = question.act() if key == "y" else ""
        elif key in ("up", "k"):
            self._select(-1)
        elif key in ("down", "j"):
            self._select(1)
        elif key in ("a", "d"):
            self._question = self._answering(allows=key == "a")
        elif key == "i" and self._selected is not None:
            self._question = self._interrupting(self._selected)

    def _select(self, step: int) -> None:
        ids = [session.id for session in self._sessions]
        if self._selected in ids:
            self._selected = ids[max(0, min(ids.index(self._selected) + step, len(ids) - 1))]

    def _answering(self, *, allows: bool) -> _Question | None:
        doing = self._doing.get(self._selected or "")
        if doing is None or doing.approval_id is None:
            self._said = "it waits for no permission"
            return None
        approval_id, verb = doing.approval_id, "approve" if allows else "deny"
        return _Question(
            f"{verb} {output.one_line(doing.tool)} {output.one_line(doing.argument)}",
            lambda: self._tried(lambda: approving.answer(self._state, approval_id, Answer(allows))),
        )

    def _interrupting(self, session_id: str) -> _Question:
        return _Question(
            f"interrupt {session_id[:8]}",
            lambda: self._tried(lambda: stopping.interrupt(self._state, [session_id], await_end=False)),
        )

    def _tried(self, act: Callable[[], object]) -> str:
        try:
            act()
        except HldctlError as error:
            return str(error)
        return ""

    def _follow(self) -> None:
        self._said = ""
        # Ctrl-C is for the command that has the terminal, and reaches this one as well.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            command = [sys.executable, "-P", "-m", "hldctl", "tail", "-f", str(self._selected)]
            ended = subprocess.run(command, check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)
        if ended != ExitCode.INTERRUPTED:
            output.note("any key leads back")
            with keyboard.single_keys():
                keyboard.pressed(_READING_SECONDS)

    def _screen(self) -> Group:
        width, height = self._console.size
        now = time.time()
        # The line above, the header, and the two below.
        room = max(1, height - 4)
        first = max(0, self._place() - room + 1)
        drawn: list[RenderableType] = [self._summary(now)]
        if self._sessions:
            shown = self._sessions[first : first + room]
            drawn.append(table(shown, self._doing, self._uses, selected=self._selected, width=width, now=now))
        else:
            drawn.append(Text("nothing runs; `hldctl launch` starts a session", "dim"))
        return Group(*drawn, Text(), self._footer(width))

    def _place(self) -> int:
        ids = [session.id for session in self._sessions]
        return ids.index(self._selected) if self._selected in ids else 0

    def _summary(self, now: float) -> Text:
        counts = Counter(Status(session.status) for session in self._sessions)
        parts = [
            Text(f"{counts[status]} {status.replace('_', ' ')}", STYLES[status]) for status in Status if counts[status]
        ]
        use = [self._uses.get(session.id, Use()) for session in self._sessions]
        total = (
            f"{sum(each.cpu_percent for each in use):.0f}% CPU, {quantities.count(sum(each.memory for each in use))}B"
        )
        return Text("   ").join([*parts, Text(total), Text(time.strftime("%H:%M:%S", time.localtime(now)), "dim")])

    def _footer(self, width: int) -> Text:
        if self._question is not None:
            line = Text(f"{self._question.words}? y/n", "bold yellow")
        else:
            line = Text(self._said, "yellow") if self._said else Text(_KEYS, "dim")
        line.truncate(width, overflow="ellipsis")
        return line
