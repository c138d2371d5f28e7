"""An event that a search has found, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hldctl.cli.output import escape_control_chars, one_line
from hldctl.cli.render.format import age
from hldctl.states import EventType
from hldctl.store.search.matches import Match

if TYPE_CHECKING:
    from rich.text import Text

_MATCH_STYLE = "bold yellow"


def plain_line(match: Match, now: float, machine: str = "") -> str:
    """Return the match on one line: session, age, number and kind of the event, excerpt; `now` is in seconds.

    `machine` is the label of its session's machine, and comes first.
    """
    fields = (match.session_id[:8], _age(match, now), str(match.sequence), kind(match), one_line(match.excerpt))
    return "  ".join([machine, *fields] if machine else fields)


def rich_lines(match: Match, now: float, machine: str = "") -> list[Text]:
    """Return the match for a terminal: session and event on a line, and the excerpt with the words highlighted."""
    from rich.text import Text

    heading = Text("  ").join(
        [
            *([Text(machine)] if machine else []),
            Text(match.session_id[:8], "bold"),
            Text(f"{_age(match, now):>4}", "dim"),
            Text(f"{match.sequence:>4}"),
            Text(kind(match), "red" if match.is_error else "cyan"),
            Text(_label(match), "dim"),
        ]
    )
    excerpt, position = Text("    "), 0
    for first, last in match.matches:
        excerpt.append(escape_control_chars(match.excerpt[position:first]))
        excerpt.append(escape_control_chars(match.excerpt[first:last]), _MATCH_STYLE)
        position = last
    excerpt.append(escape_control_chars(match.excerpt[position:]))
    return [heading, excerpt]


def kind(match: Match) -> str:
    """Return who speaks, or which tool is called or answers."""
    match match.event_type:
        case EventType.TOOL_CALL:
            return one_line(match.tool_name or "tool")
        case EventType.TOOL_RESULT:
            return f"{one_line(match.tool_name or 'tool')} {'error' if match.is_error else 'result'}"
        case EventType.MESSAGE:
            return one_line(match.role or "message")
    return one_line(match.event_type)


def _age(match: Match, now: float) -> str:
    return age(now - match.created_at / 1000)


def _label(match: Match) -> str:
    name = f"{one_line(match.name)}: " if match.name else ""
    return name + one_line(match.title or match.summary)
