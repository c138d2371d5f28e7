"""What the last lines say of a session that is being followed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from hldctl.cli.output import harmless
from hldctl.cli.render import tool_calls
from hldctl.cli.render.format import elapsed
from hldctl.cli.terminal.rich_console import STYLES
from hldctl.states import EndReason, Status
from hldctl.store.events import Event
from hldctl.store.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MOST_CALLS = 5
_LEAST_WORDS = 12
_DRAFT_LINES = 8
_DRAFT_LENGTH = 4000
"""Characters of a text being written of which the end may be shown."""

_DOES = {
    Status.QUEUED: "waits for its turn",
    Status.STARTING: "starting",
    Status.INTERRUPTING: "interrupting",
    Status.WAITING_INPUT: "waits for permission",
}

_ENDS = {Status.COMPLETED: "✓", Status.FAILED: "✗", Status.INTERRUPTED: "■"}


def rows(session: Session, calls: Sequence[Event], draft: str, turns: int, width: int) -> list[Text]:
    """The text that is being written, the calls that run if there are several, and how far the session has come."""
    shown = [Text(), *_draft(draft, width)] if draft else []
    if len(calls) > 1:
        shown += [Text.assemble("  ", _call(call, session, width - 3)) for call in calls[-_MOST_CALLS:]]
    return [*shown, _progress(session, calls, draft, turns, width)]


def closing(session: Session) -> Text:
    """How it ended, in one line; an error's message may make it longer."""
    status = Status(session.status)
    words = f"{_ENDS[status]} {status}"
    if session.end_reason not in (EndReason.SUCCESS, EndReason.INTERRUPTED, EndReason.ERROR, None):
        words += f" ({session.end_reason.replace('_', ' ')})"
    numbers = " · ".join([elapsed(session.duration_ms or 0), *_numbers(session, 0)])
    line = Text.assemble((words, STYLES[status]), (f"  {numbers}", "dim"))
    if session.error_message:
        line.append(f"\n  {harmless(session.error_message).strip()}", "red")
    return line


def _progress(session: Session, calls: Sequence[Event], draft: str, turns: int, width: int) -> Text:
    status = Status(session.status)
    passed = time.time() * 1000 - _start(session)
    style = STYLES[status]
    sign = _SIGNS[int(passed / 1000) % len(_SIGNS)]
    line = Text.assemble((f"{sign} ", style), (f"{elapsed(passed)}  ", "bold"))
    end = Text("".join(f" · {number}" for number in _numbers(session, turns)), "dim")
    if status in _DOES:
        line.append(_DOES[status], style)
    if len(calls) == 1 and status in (Status.RUNNING, Status.WAITING_INPUT):
        line.append(": " if status in _DOES else "", style)
        # The numbers stay where a long command does not.
        line.append_text(_call(calls[0], session, width - 1 - line.cell_len - end.cell_len))
    elif status not in _DOES:
        line.append(f"{len(calls)} calls" if calls else "writing" if draft else "thinking")
    return line.append_text(end)


def _numbers(session: Session, turns: int) -> list[str]:
    """`turns` are those seen so far: the session's own count comes with a result."""
    count = max(session.num_turns or 0, turns)
    numbers = [f"{count} turn{'s' * (count != 1)}"] if count else []
    if (tokens := session.effective_context_tokens) is not None:
        window = session.context_window
        numbers.append(f"context {tokens / window:.0%}" if window else f"context {tokens / 1000:.0f}k")
    if session.cost_usd is not None:
        numbers.append(f"${session.cost_usd:.2f}")
    return numbers


def _start(session: Session) -> int:
    return int(session.started_at or session.created_at)


def _draft(draft: str, width: int) -> list[Text]:
    """The end of the text, wrapped."""
    from rich.console import Console

    text = Text(harmless(draft[-_DRAFT_LENGTH:]).strip("\n"))
    return list(text.wrap(Console(width=width), width))[-_DRAFT_LINES:]


def _call(call: Event, session: Session, room: int) -> Text:
    """What it is called on gives way to what tells one from another."""
    name, took = tool_calls.name(call), elapsed(time.time() * 1000 - call.created_at)
    argument = Text(tool_calls.argument(call, session.working_dir))
    argument.truncate(max(_LEAST_WORDS, room - cell_len(name) - len(took) - 2), overflow="ellipsis")
    return Text.assemble((name, "bold"), " " if argument else "", argument, (f" {took}", "dim"))
