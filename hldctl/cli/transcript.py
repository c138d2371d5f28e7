"""A session as a document: what is told of it, part by part, whatever it is then written in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hldctl.cli.output import harmless, shortened
from hldctl.states import EventType
from hldctl.store.conversation import Event
from hldctl.store.models import Session
from hldctl.store.view import session_object

_FACTS = (
    *("id", "status", "end_reason", "error_message", "model_id", "working_dir", "created_at", "completed_at"),
    *("num_turns", "duration_ms", "cost_usd", "input_tokens", "output_tokens", "parent_session_id"),
)
_HEADING = 100
"""Characters of a call's input, or of a result, that stand for the whole until it is unfolded."""


@dataclass(frozen=True)
class Part:
    """One event: who says it, what, and whether it is a detail that may be folded away."""

    kind: str
    who: str
    text: str
    heading: str = ""
    is_folded: bool = False
    is_inner: bool = False
    """A subagent's."""
    is_error: bool = False


def title(session: Session) -> str:
    return harmless(session.title or session.summary)


def facts(session: Session) -> list[tuple[str, str]]:
    """Names and values, without what is not known."""
    shown = session_object(session)
    return [(name.replace("_", " "), harmless(str(shown[name]))) for name in _FACTS if shown[name] is not None]


def parts(events: Iterable[Event]) -> Iterator[Part]:
    for event in events:
        yield _part(event)


def _part(event: Event) -> Part:
    inner = event.parent_tool_use_id is not None
    match event.event_type:
        case EventType.TOOL_CALL:
            text = _indented(event.tool_input)
            name = harmless(event.tool_name or "")
            return Part("call", f"call {name}", text, shortened(event.tool_input or "", _HEADING), True, inner)
        case EventType.TOOL_RESULT:
            text = harmless(event.tool_result_content or "")
            who = "error" if event.is_error else "result"
            return Part("result", who, text, shortened(text, _HEADING), True, inner, bool(event.is_error))
        case EventType.THINKING:
            return Part("thinking", "thinking", harmless(event.content or ""), is_inner=inner)
        case EventType.MESSAGE:
            who = "user" if event.role == "user" else "claude"
            return Part("message", who, harmless(event.content or ""), is_inner=inner, is_error=bool(event.is_error))
    return Part("note", "note", harmless(event.content or ""), is_inner=inner)


def _indented(tool_input: str | None) -> str:
    value: Any = json.loads(tool_input or "null")
    return harmless(json.dumps(value, indent=2, ensure_ascii=False))
