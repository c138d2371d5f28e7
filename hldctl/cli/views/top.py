"""The screen of `hldctl top`, redrawn at each change, and its keys."""

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
from hldctl.cli.render.events.plain import approval_line
from hldctl.cli.render.gate_line import gate_line
from hldctl.cli.render.requests.permission_request import describe_request
from hldctl.cli.render.table_layout import Cell
from hldctl.cli.terminal import keyboard, programs
from hldctl.cli.terminal.full_screen import full_screen
from hldctl.cli.terminal.rich_console import STYLES, console
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.cli.views import session_commands
from hldctl.cli.views.request_view import RequestView
from hldctl.errors import ExitCode, HldctlError
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.inspect import activity, overview
from hldctl.sessions.inspect.activity import Activity
from hldctl.sessions.inspect.process_usage import ProcessUsage, UsageSampler
from hldctl.sessions.permissions.answers import Decision
from hldctl.states import ENDED, ApprovalKind, ApprovalStatus, Status
from hldctl.store import approvals, sessions
from hldctl.store.admission import limits
from hldctl.store.admission.limits import Gate
from hldctl.store.connection import current_connection
from hldctl.store.database import files_to_watch, open_for_reading, refresh
from hldctl.store.session import Session
from hldctl.store.session_list import Listing, find_sessions
from hldctl.system.watcher import Wakeup

# Shortest time between two updates, unless a key is pressed: busy sessions commit more often than anybody reads.
_MIN_UPDATE_SECONDS = 0.2
# Time between two samples of CPU and memory, and the longest time for which clocks may stand still.
_SAMPLE_SECONDS = 2.0
# Longest wait for a key after `tail -f` has ended.
_MAX_READING_SECONDS = 3600.0
# The first ones are shown on any terminal.
_KEYS = {"q": "quit", "f": "follow", "a": "approve", "d": "deny", "i": "interrupt", "↑↓": "select"}
# Height from which on there is room for more than sessions and keys.
_MIN_FULL_HEIGHT = 6
_COLUMNS = (
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
    "worktree",
    "input_tokens",
    "output_tokens",
    "effective_context_tokens",
    "context_window",
)
_LISTING = Listing(archived=True, statuses=tuple(status for status in Status if status not in ENDED), columns=_COLUMNS)


_FAR = 1 << 30
# Lines by which a key moves the selection, or pages for the page keys.
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


@dataclass(frozen=True)
class _Question:
    """A yes-or-no question, and the action for yes."""

    text: str
    act: Callable[[], str]
    view: RequestView | None = None
    """The whole call if the question is about a permission request; replaces the sessions on the screen."""
    approval_id: str = ""


class TopScreen:
    """The running sessions with their activity and resource use, a selection, and at most one question."""

    def __init__(self, state: StateDirectory, machine_name: Callable[[str], str] = lambda session_id: "") -> None:
        """`machine_name` returns the name of a session's machine; an empty text for this machine."""
        self._state = state
        self._machine_name = machine_name
        self._console = console()
        self._meter = UsageSampler()
        self._sessions: Sequence[Session] = []
        self._doing: Mapping[str, Activity] = {}
        self._gates: Sequence[Gate] = []
        self._uses: Mapping[str, ProcessUsage] = {}
        self._sampled_at = -_SAMPLE_SECONDS
        self._selected: str | None = None
        # Index of the session in the first row of the table.
        self._top = 0
        self._question: _Question | None = None
        self._message = ""

    def run(self) -> None:
        """Show the screen until q or Ctrl-C."""
        with exit_on_signal():
            while (command := self._watch()) is not None:
                # The other command uses the terminal while it runs.
                self._run(command)

    def _watch(self) -> tuple[str, ...] | None:
        """Show the screen until a command needs the terminal, and return it; None if the user quits."""
        files = files_to_watch(self._state)
        with (
            full_screen(self._console, has_keys=True) as screen,
            open_for_reading(self._state),
            closing(Wakeup([*files, screen.redraw_signal], descriptors=[sys.stdin.fileno()])) as wakeup,
        ):
            drawn_question = self._question
            while True:
                self._refresh()
                lines = self._lines()
                if self._question is not None and self._question is not drawn_question:
                    # Keys typed before the question was shown do not answer it.
                    keyboard.discard_typed()
                drawn_question = self._question
                screen.draw(lines)
                keys = keyboard.read_keys(_MIN_UPDATE_SECONDS)
                if not keys:
                    wakeup.wait(self._wait_seconds())
                    refresh(self._state)
                    keys = keyboard.read_keys(0)
                for key in keys:
                    if key in ("q", "escape") and self._question is None:
                        return None
                    if key in ("f", "\n") and self._question is None and self._selected is not None:
                        return ("tail", "-f", self._selected)
                    if key == "a" and self._question is None and (asked := self._asked_question()) is not None:
                        return ("answer", asked)
                    self._handle_key(key)
                    if self._question is not drawn_question:
                        break

    def _refresh(self) -> None:
        index = self._selected_index()
        supervisors.adopt_all_lost(self._state)
        self._sessions = find_sessions(_LISTING)
        self._doing = activity.load_activities()
        self._gates = limits.list_gates()
        if self._wait_seconds() == 0:
            self._uses = self._meter.sample(self._sessions)
            self._sampled_at = time.monotonic()
        ids = [session.id for session in self._sessions]
        if self._selected not in ids:
            # If the selected session has ended, select the one after it.
            self._selected = ids[min(index, len(ids) - 1)] if ids else None
        self._drop_resolved()

    def _drop_resolved(self) -> None:
        """Drop a question about a request that is no longer pending, and say how it was resolved."""
        if self._question is None or self._question.view is None:
            return
        approval = approvals.get(current_connection(), self._question.approval_id)
        if approval is None or approval.status != ApprovalStatus.PENDING:
            self._question = None
            self._message = "its session was deleted" if approval is None else approval_line(approval, elsewhere=True)

    def _wait_seconds(self) -> float:
        """Return how long to wait for a change: until the next sample, or longer if no session is running."""
        until_sample = max(0.0, self._sampled_at + _SAMPLE_SECONDS - time.monotonic())
        return until_sample if self._sessions else overview.IDLE_SECONDS

    def _handle_key(self, key: str) -> None:
        self._message = ""
        if self._question is not None:
            self._answer(self._question, key)
        elif key in _STEPS:
            self._select(_STEPS[key] * (self._table_height() if key.startswith("page") else 1))
        elif key in ("a", "d"):
            self._question = self._approval_question(allows=key == "a")
        elif key == "i" and self._selected is not None:
            self._question = self._interrupt_question(self._selected)

    def _answer(self, question: _Question, key: str) -> None:
        if question.view is not None and (question.view.press(key) or (key == "y" and not question.view.end_was_seen)):
            return
        self._question = None
        if key == "y":
            self._message = question.act()

    def _select(self, step: int) -> None:
        if self._sessions:
            self._selected = self._sessions[max(0, min(self._selected_index() + step, len(self._sessions) - 1))].id

    def _asked_question(self) -> str | None:
        """Return the id of the request if the selected session asks a question."""
        selected = self._doing.get(self._selected or "")
        if selected is None or selected.approval_id is None:
            return None
        request = approvals.get(current_connection(), selected.approval_id)
        return request.id if request is not None and request.kind is ApprovalKind.QUESTION else None

    def _approval_question(self, *, allows: bool) -> _Question | None:
        selected = self._doing.get(self._selected or "")
        if selected is None or selected.approval_id is None:
            self._message = "this session does not ask for anything"
            return None
        request = approvals.get(current_connection(), selected.approval_id)
        if request is None:
            return None
        done = (
            f"{'allowed' if allows else 'denied'} {request.id[:8]}: {output.escape_invisible_line(request.tool_name)}"
        )
        return _Question(
            "approve? y/n" if allows else "deny? y/n",
            lambda: self._try(lambda: session_commands.answer(self._state, request, Decision(allows)), done),
            RequestView(describe_request(request, sessions.get(request.session_id))),
            request.id,
        )

    def _interrupt_question(self, session_id: str) -> _Question:
        return _Question(
            f"interrupt {session_id[:8]}",
            lambda: self._try(lambda: session_commands.interrupt_session(self._state, session_id)),
        )

    def _try(self, act: Callable[[], object], success: str = "") -> str:
        """Return the error message if the action fails, otherwise `success`."""
        try:
            act()
        except HldctlError as error:
            return str(error)
        return success

    def _run(self, command: tuple[str, ...]) -> None:
        self._message = ""
        exit_code = programs.run_in_foreground([sys.executable, "-P", "-m", "hldctl", *command])
        if exit_code == ExitCode.DONE and command[0] == "answer":
            return
        if exit_code != ExitCode.INTERRUPTED:
            output.print_note("press any key to return")
            with keyboard.single_keys():
                keyboard.read_keys(_MAX_READING_SECONDS)

    def _lines(self) -> list[Text]:
        width, height = self._console.size
        if self._question is not None and self._question.view is not None:
            return self._question.view.render(width, height, self._question.text)
        now, room = time.time(), self._table_height()
        index = self._selected_index()
        # Scroll only as far as needed to keep the selected session visible, and leave no row empty.
        self._top = max(index - room + 1, min(self._top, index, len(self._sessions) - room), 0)
        # Lay out all sessions, so that columns keep their widths while scrolling.
        header, *rows = top_table.lines(
            self._sessions,
            self._doing,
            self._uses,
            selected=self._selected,
            width=width,
            now=now,
            machines=[self._machine_name(session.id) for session in self._sessions],
        )
        visible = rows[self._top : self._top + room]
        if height < _MIN_FULL_HEIGHT:
            return [*visible, self._footer(width)]
        if not visible:
            header = Text("no session is running; start one with `hldctl launch`", "dim")
        gates = [Text(gate_line(gate), "yellow") for gate in self._gates]
        lines = [self._summary(now), *gates, header, *visible, self._hidden_counts(len(visible)), self._footer(width)]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return lines

    def _table_height(self) -> int:
        """Return how many sessions fit on the screen."""
        height = self._console.height
        # The summary, the header, and two lines below the table.
        return max(1, height - (1 if height < _MIN_FULL_HEIGHT else 4 + len(self._gates)))

    def _selected_index(self) -> int:
        ids = [session.id for session in self._sessions]
        return ids.index(self._selected) if self._selected in ids else 0

    def _summary(self, now: float) -> Text:
        counts = Counter(Status(session.status) for session in self._sessions)
        parts = [
            Text(f"{counts[status]} {status.replace('_', ' ')}", STYLES[status]) for status in Status if counts[status]
        ]
        if parts:
            usages = [self._uses.get(session.id, ProcessUsage()) for session in self._sessions]
            memory = format.count(sum(each.memory_bytes for each in usages))
            parts += [Text(f"{sum(each.cpu_percent for each in usages):.0f}% CPU, {memory}B")]
            parts += [Text(time.strftime("%H:%M:%S", time.localtime(now)), "dim")]
        return Text("   ").join(parts)

    def _hidden_counts(self, visible_count: int) -> Text:
        above, below = self._top, len(self._sessions) - self._top - visible_count
        parts = [*([f"{above} above"] if above else []), *([f"{below} below"] if below else [])]
        return Text(f"… {', '.join(parts)}" if parts else "", "dim")

    def _footer(self, width: int) -> Text:
        if self._question is not None:
            # The text is truncated before the answers are.
            line = Cell(Text(self._question.text), Text("? y/n")).render(width)
            line.stylize("bold yellow")
            return line
        if self._message:
            return Text(self._message, "yellow")
        return Text(_key_help(width), "dim")


def _key_help(width: int) -> str:
    """Return as many keys as fit into `width` columns."""
    entries = [f"{key} {effect}" for key, effect in _KEYS.items()]
    while len(entries) > 1 and len("  ".join(entries)) > width:
        entries.pop()
    return "  ".join(entries)
