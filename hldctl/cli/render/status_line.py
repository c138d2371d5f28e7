"""The live rows about a session that is being followed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from hldctl.cli.output import escape_control_chars
from hldctl.cli.render import asking, ending, run_time
from hldctl.cli.render.activity import describe_tasks
from hldctl.cli.render.events import tool_calls
from hldctl.cli.render.format import format_duration
from hldctl.cli.terminal.rich_console import STYLES
from hldctl.sessions.inspect.activity import background_tasks
from hldctl.states import ASKING_TOOLS, Status
from hldctl.store.events import Event
from hldctl.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MAX_CALLS = 5
_MIN_ARGUMENT_WIDTH = 12
_DRAFT_LINES = 8
# Characters at the end of a text being written that may be shown.
_DRAFT_LENGTH = 4000

_STATUS_TEXTS = {
    Status.QUEUED: "queued",
    Status.STARTING: "starting",
    Status.INTERRUPTING: "interrupting",
    Status.IDLE: "waiting for a message",
}

_END_SIGNS = {Status.COMPLETED: "✓", Status.FAILED: "✗", Status.INTERRUPTED: "■"}


def rows(session: Session, calls: Sequence[Event], draft: str, turns: int, width: int) -> list[Text]:
    """Return the end of the text being written, running calls if there are several, and the status line."""
    result = [Text(), *_draft(draft, width)] if draft else []
    if len(calls) > 1:
        result += [
            Text.assemble("  ", _call(call, tool_calls.name(call), session, width - 3)) for call in calls[-_MAX_CALLS:]
        ]
    return [*result, _progress(session, calls, draft, turns, width)]


def closing_line(session: Session) -> Text:
    """Return how the session ended, and its error message if any."""
    status = Status(session.status)
    text = f"{_END_SIGNS[status]} {ending.outcome(session)}"
    times = [format_duration(run_time.run_time_ms(session) or 0), run_time.time_at_work(session)]
    numbers = " · ".join([*filter(None, times), *ending.numbers(session)])
    line = Text.assemble((text, STYLES[status]), (f"  {numbers}", "dim"))
    if session.error_message:
        line.append(f"\n  {escape_control_chars(session.error_message).strip()}", "red")
    if session.pending_messages:
        line.append(f"\n  messages not delivered: {session.pending_messages}", "yellow")
    return line


def _progress(session: Session, calls: Sequence[Event], draft: str, turns: int, width: int) -> Text:
    status = Status(session.status)
    elapsed_ms = time.time() * 1000 - _started_at_ms(session)
    style = STYLES[status]
    sign = _SPINNER[int(elapsed_ms / 1000) % len(_SPINNER)]
    line = Text.assemble((f"{sign} ", style), (f"{format_duration(elapsed_ms)}  ", "bold"))
    end = Text("".join(f" · {number}" for number in ending.numbers(session, turns)), "dim")
    # Without a word for the status, the line says what the model does.
    word = asking.waiting_text(call.tool_name for call in calls) if status is Status.WAITING_INPUT else ""
    word = word or _STATUS_TEXTS.get(status, "")
    line.append(word, style)
    waiting = _waiting_text(session) if status is Status.RUNNING else ""
    if waiting:
        line.append(waiting)
    elif len(calls) == 1 and status in (Status.RUNNING, Status.WAITING_INPUT):
        # The word says that it is a question or a plan.
        name = "" if word and calls[0].tool_name in ASKING_TOOLS else tool_calls.name(calls[0])
        # A long command is truncated in favour of the numbers.
        call = _call(calls[0], name, session, width - 1 - line.cell_len - 2 * bool(word) - end.cell_len)
        line.append(": " if word and not call.plain.startswith(" ") else "", style).append_text(call)
    elif not word:
        doing = f"{len(calls)} calls" if calls else "writing" if draft else "thinking"
        line.append(doing + _other_tasks(session))
    return line.append_text(end)


def _waiting_text(session: Session) -> str:
    """Return what the model waits for in the background; empty while it works."""
    tasks = background_tasks(session.background_tasks or ())
    if not tasks or session.turn_ended_at is None:
        return ""
    return f"waiting for {describe_tasks(tasks)} ({format_duration(time.time() * 1000 - tasks[0].started_at)})"


def _other_tasks(session: Session) -> str:
    tasks = background_tasks(session.background_tasks or ())
    return f" (+{describe_tasks(tasks)})" if tasks else ""


def _started_at_ms(session: Session) -> int:
    return int(session.started_at or session.created_at)


def _draft(draft: str, width: int) -> list[Text]:
    """Return the last lines of the text, wrapped."""
    from rich.console import Console

    text = Text(escape_control_chars(draft[-_DRAFT_LENGTH:]).strip("\n"))
    return list(text.wrap(Console(width=width), width))[-_DRAFT_LINES:]


def _call(call: Event, name: str, session: Session, room: int) -> Text:
    """Return the name, argument and duration of a call; only the argument is truncated."""
    took = format_duration(time.time() * 1000 - call.created_at)
    argument = Text(tool_calls.argument(call, session.working_dir))
    argument.truncate(max(_MIN_ARGUMENT_WIDTH, room - cell_len(name) - len(took) - 2), overflow="ellipsis")
    return Text.assemble((name, "bold"), " " if name and argument else "", argument, (f" {took}", "dim"))
