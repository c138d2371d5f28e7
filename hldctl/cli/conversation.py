"""A conversation as plain lines."""

from __future__ import annotations

from hldctl.cli.output import harmless, one_line
from hldctl.states import EventType
from hldctl.store.conversation import Event

_WIDTH = 200
"""Characters of a tool's input that a line shows."""


def lines(event: Event) -> list[str]:
    """The event, its first line labelled with who or what speaks, the others indented."""
    label, text = _label_and_text(event)
    first, *others = harmless(text).rstrip("\n").split("\n")
    indent = "  " if event.parent_tool_use_id else ""
    return [f"{indent}{label}: {first}", *(f"{indent}  {line}" for line in others)]


def _label_and_text(event: Event) -> tuple[str, str]:
    match event.event_type:
        case EventType.MESSAGE:
            return ("user" if event.role == "user" else "claude"), event.content or ""
        case EventType.THINKING:
            return "thinking", event.content or ""
        case EventType.TOOL_CALL:
            return f"call {one_line(event.tool_name or '')}", _shortened(event.tool_input or "")
        case EventType.TOOL_RESULT:
            return ("error" if event.is_error else "result"), event.tool_result_content or ""
    return "note", event.content or ""


def _shortened(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
