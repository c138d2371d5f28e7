"""What a line of the stream adds to the conversation.

What a tool answered: the text that the model saw, and where the structured data beside it says more, that.

What a `rate_limit_event` says: that a limit comes near, or that it is reached, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from hldctl.claude.stream import JsonObject, block_text, blocks, mapping, sequence, text, whole_number
from hldctl.states import EventType, NoteKind

# Said by Claude Code 2.1.330 in a user line when a signal ends it, with "for tool use" behind it in a tool.
_INTERRUPTED = "[Request interrupted by user"

_SILENT_NOTES = frozenset(
    {
        "background_tasks_changed",
        "hook_progress",
        "hook_response",
        "hook_started",
        "init",
        "status",
        "task_progress",
        "task_updated",
        "thinking_tokens",
    }
)


# Made once: json.dumps() makes one for each call that wants other than the defaults. What was decoded has no circles.
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False)

# Looked up once: an enum finds its member in more time than the rest of an entry takes.
_MESSAGE, _THINKING = EventType.MESSAGE, EventType.THINKING
_TOOL_CALL, _TOOL_RESULT = EventType.TOOL_CALL, EventType.TOOL_RESULT
_SYSTEM = EventType.SYSTEM


class Entry(NamedTuple):
    """One event of a conversation, before it has its number. A tuple: bursts make tens of thousands a second."""

    event_type: EventType
    role: str | None = None
    content: str | None = None
    tool_id: str | None = None
    tool_name: str | None = None
    tool_input: str | None = None
    parent_tool_use_id: str | None = None
    tool_result_for_id: str | None = None
    tool_result_content: str | None = None
    is_error: bool = False
    note_kind: NoteKind | None = None


def entries(event: JsonObject) -> list[Entry]:
    """The events in a line, in their order; none for a line that is no part of the conversation."""
    kind = event.get("type")
    parent = text(event.get("parent_tool_use_id"))
    if kind in ("assistant", "user"):
        message = mapping(event.get("message"))
        role = text(message.get("role")) or str(kind)
        found = blocks(message)
        structured = _structured(event, found)
        # An API error comes as if the model had said it.
        failed = event.get("is_api_error_message") is True
        told = [_entry(block, role, parent, structured) for block in found]
        return [entry._replace(is_error=True) for entry in told] if failed else told
    return _notes(event, parent)


def is_known(event: JsonObject) -> bool:
    """Whether this kind of line is understood, be it only as one to pass over."""
    kind = event.get("type")
    if kind == "system":
        subtype = text(event.get("subtype")) or ""
        return subtype in _SILENT_NOTES or subtype in _NOTES
    return kind in ("assistant", "user", "result", "rate_limit_event", "stream_event")


def structured_result(event: JsonObject) -> JsonObject:
    """The data beside a tool result; empty where the line holds several, and nobody knows of which it speaks."""
    return _structured(event, blocks(mapping(event.get("message"))))


def _structured(event: JsonObject, found: list[JsonObject]) -> JsonObject:
    data = mapping(event.get("tool_use_result"))
    return data if data and sum(block.get("type") == "tool_result" for block in found) == 1 else {}


def _entry(block: JsonObject, role: str, parent: str | None, structured: JsonObject) -> Entry:
    kind = text(block.get("type")) or ""
    if kind == "text":
        said = text(block.get("text")) or ""
        is_note = role == "user" and said.startswith(_INTERRUPTED)
        note_kind = NoteKind.INTERRUPTED if is_note else None
        return Entry(_MESSAGE, role, said, parent_tool_use_id=parent, note_kind=note_kind)
    if kind == "thinking":
        return Entry(_THINKING, role, text(block.get("thinking")) or "", parent_tool_use_id=parent)
    if kind == "redacted_thinking":
        return Entry(_THINKING, role, "[redacted]", parent_tool_use_id=parent)
    if kind == "tool_use" or kind.endswith("_tool_use"):
        return Entry(
            _TOOL_CALL,
            role,
            tool_id=text(block.get("id")),
            tool_name=text(block.get("name")),
            tool_input=_as_json(block.get("input")),
            parent_tool_use_id=parent,
        )
    if kind == "tool_result" or kind.endswith("_tool_result"):
        return Entry(
            _TOOL_RESULT,
            role,
            parent_tool_use_id=parent,
            tool_result_for_id=text(block.get("tool_use_id")),
            tool_result_content=content(block, structured),
            is_error=block.get("is_error") is True,
        )
    return Entry(_MESSAGE, role, block_text([block]), parent_tool_use_id=parent)


def _as_json(value: Any) -> str:
    try:
        return _ENCODER.encode(value)
    except RecursionError:
        return "null"


def _notes(event: JsonObject, parent: str | None) -> list[Entry]:
    """Return the note that a line without a message makes, if any."""
    if event.get("type") == "rate_limit_event":
        kind, said = NoteKind.RATE_LIMIT, note(event)
    elif event.get("type") == "system" and (known := _NOTES.get(text(event.get("subtype")) or "")) is not None:
        kind, said = known[0], known[1](event)
    else:
        return []
    return [] if said is None else [Entry(_SYSTEM, "system", said, parent_tool_use_id=parent, note_kind=kind)]


def _api_retry(event: JsonObject) -> str:
    what = event.get("error_status") or event.get("error") or "no answer"
    delay = (whole_number(event.get("retry_delay_ms")) or 0) / 1000
    return f"API error {what}; attempt {event.get('attempt')} of {event.get('max_retries')} in {delay:.1f} s"


def _permission_denied(event: JsonObject) -> str:
    return f"Permission denied for {event.get('tool_name')}: {event.get('message') or 'no reason given'}"


def _task_started(event: JsonObject) -> str:
    return f"Task started: {event.get('description') or event.get('task_id')}"


def _task_notification(event: JsonObject) -> str:
    return f"Task {event.get('status') or 'changed'}: {event.get('summary') or event.get('task_id')}"


def _compacted(event: JsonObject) -> str:
    before = whole_number(mapping(event.get("compact_metadata")).get("pre_tokens"))
    return "Conversation compacted" if before is None else f"Conversation compacted; it had {before} tokens"


def _said(event: JsonObject) -> str:
    return block_text(event.get("content") or event.get("message") or event.get("subtype"))


def _session_created(event: JsonObject) -> str:
    return f"Session created with ID: {event.get('session_id')}"


_NOTES: dict[str, tuple[NoteKind, Callable[[JsonObject], str]]] = {
    "api_error": (NoteKind.API_ERROR, _said),
    "api_retry": (NoteKind.API_RETRY, _api_retry),
    "compact_boundary": (NoteKind.COMPACTED, _compacted),
    "informational": (NoteKind.INFORMATION, _said),
    "permission_denied": (NoteKind.PERMISSION_DENIED, _permission_denied),
    "session_created": (NoteKind.SESSION_CREATED, _session_created),
    "task_notification": (NoteKind.TASK, _task_notification),
    "task_started": (NoteKind.TASK, _task_started),
}


class Outcome(NamedTuple):
    """What a `result` line says of its part of the run."""

    subtype: str
    is_error: bool
    terminal_reason: str
    result: str | None
    errors: tuple[str, ...]
    num_turns: int
    duration_ms: int
    permission_denials: list[JsonObject]
    api_error_status: int | None = None
    """The HTTP status of the API's refusal, where there was one."""


def outcome(event: JsonObject) -> Outcome:
    return Outcome(
        subtype=text(event.get("subtype")) or "",
        is_error=event.get("is_error") is True,
        terminal_reason=text(event.get("terminal_reason")) or "",
        result=text(event.get("result")),
        errors=tuple(error for error in sequence(event.get("errors")) if isinstance(error, str)),
        num_turns=whole_number(event.get("num_turns")) or 0,
        duration_ms=whole_number(event.get("duration_ms")) or 0,
        permission_denials=[item for item in sequence(event.get("permission_denials")) if isinstance(item, dict)],
        api_error_status=whole_number(event.get("api_error_status")),
    )


# 2.1.330 gives the model the first 2 KB of a long output and writes all of it to a file of its own.
_CUT_SHORT = "<persisted-output>"


def content(block: JsonObject, structured: JsonObject) -> str:
    """`structured` is the line's `tool_use_result`, empty if it is about no single result."""
    shown = block_text(block.get("content"))
    if structured.get("type") == "image":
        return image(mapping(structured.get("file")))
    if shown.startswith(_CUT_SHORT) or not shown:
        return _output(structured) or shown
    patch = _patch(structured)
    return f"{shown}\n{patch}" if patch else shown


def is_allowed(event: JsonObject, tool_id: str, *, is_error: bool) -> bool | None:
    """Whether the call with that result was allowed, True or False, by a hook where it was denied; None if the line
    does not tell.

    2.1.330 names the decision for each result. It writes `hook` for any hook, hldctl's or another.
    """
    for told in map(mapping, sequence(event.get("tool_result_meta"))):
        decision = mapping(told.get("permission_decision"))
        if told.get("id") != tool_id or not decision:
            continue
        if decision.get("decision") == "accept":
            return True
        return False if decision.get("decision") == "reject" and decision.get("source") == "hook" else None
    return None if is_error else True


def image(file: JsonObject) -> str:
    """An image by its kind and size: `[image image/png 800x600]`."""
    dimensions = mapping(file.get("dimensions"))
    width, height = (whole_number(dimensions.get(f"original{side}")) for side in ("Width", "Height"))
    size = f"{width}x{height}" if width and height else None
    return f"[{' '.join(part for part in ('image', text(file.get('type')), size) if part)}]"


def _output(structured: JsonObject) -> str:
    streams = [text(structured.get(name)) for name in ("stdout", "stderr")]
    output = "\n".join(stream for stream in streams if stream)
    path = text(structured.get("persistedOutputPath"))
    if output and path is not None:
        # 30,000 characters of it, without a mark where they end.
        output += f"\n[cut short: {structured.get('persistedOutputSize')} bytes in all, in {path}]"
    return output


def _patch(structured: JsonObject) -> str:
    """The hunks of an edit, as a unified diff shows them."""
    lines: list[str] = []
    for hunk in sequence(structured.get("structuredPatch")):
        hunk = mapping(hunk)
        old, new = (f"{hunk.get(side + 'Start')},{hunk.get(side + 'Lines')}" for side in ("old", "new"))
        lines.append(f"@@ -{old} +{new} @@")
        lines += [line for line in sequence(hunk.get("lines")) if isinstance(line, str)]
    return "\n".join(lines)


_SECONDS = range(10**9, 10**10)
"""From 2001 to 2286; what is a thousand times as much is milliseconds, and all else no moment."""


def note(event: JsonObject) -> str | None:
    """For who reads the conversation; nothing of a limit that is far."""
    status = _status(event)
    return None if status in (None, "allowed") else f"Rate limit: {status}"


def resets_at(event: JsonObject) -> int | None:
    """When the limit ends, in milliseconds since 1970; None unless it refuses requests until then."""
    if _status(event) != "rejected":
        return None
    limit = _limit(event)
    moment = whole_number(limit.get("resetsAt")) or whole_number(limit.get("resets_at"))
    if moment is None:
        return None
    if moment in _SECONDS:
        return moment * 1000
    return moment if moment // 1000 in _SECONDS else None


def _status(event: JsonObject) -> str | None:
    return text(_limit(event).get("status"))


def _limit(event: JsonObject) -> JsonObject:
    return mapping(event.get("rate_limit_info")) or event
