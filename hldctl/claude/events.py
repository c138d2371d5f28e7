"""Parser for the events in a line of the stream: messages, tool results, notes, results and rate limits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from hldctl.claude import background_tasks
from hldctl.claude.stream import JsonObject, block_text, content_blocks, mapping, sequence, text, whole_number
from hldctl.states import EventType, NoteKind

# Claude Code 2.1.330 writes this in a user line when a signal ends it, followed by "for tool use" during a tool call.
_INTERRUPTED = "[Request interrupted by user"

_SILENT_NOTES = frozenset(
    {
        "background_tasks_changed",
        "hook_progress",
        "hook_response",
        "hook_started",
        "init",
        "session_state_changed",
        "status",
        "task_progress",
        "task_updated",
        "thinking_tokens",
    }
)


# Created once: json.dumps() creates an encoder for each call without the default options. Decoded data has no cycles.
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False)

# Looked up once: finding an enum's member takes more time than the rest of an entry.
_MESSAGE, _THINKING = EventType.MESSAGE, EventType.THINKING
_TOOL_CALL, _TOOL_RESULT = EventType.TOOL_CALL, EventType.TOOL_RESULT
_SYSTEM = EventType.SYSTEM


class Entry(NamedTuple):
    """One event of a conversation, before it has a number. A tuple, since bursts contain tens of thousands a second."""

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


def parse_entries(event: JsonObject) -> list[Entry]:
    """Return the events in a line, in order; an empty list for a line that is not part of the conversation."""
    kind = event.get("type")
    parent = text(event.get("parent_tool_use_id"))
    if kind in ("assistant", "user"):
        message = mapping(event.get("message"))
        role = text(message.get("role")) or str(kind)
        message_blocks = content_blocks(message)
        structured = _structured_data(event, message_blocks)
        # An API error comes in the form of a message of the model.
        is_api_error = event.get("is_api_error_message") is True
        parsed = [_entry(block, role, parent, structured) for block in message_blocks]
        return [entry._replace(is_error=True) for entry in parsed] if is_api_error else parsed
    return _notes(event, parent)


_KINDS = frozenset(
    {
        *("assistant", "user", "result", "rate_limit_event", "stream_event", "command_lifecycle"),
        *("control_request", "control_response", "control_cancel_request"),
    }
)


_LOCAL_OUTPUT = re.compile(r"<local-command-stdout>(.*)</local-command-stdout>", re.DOTALL)


def is_replayed_message(event: JsonObject) -> bool:
    """Return whether the line repeats a message that Claude Code got on standard input."""
    return event.get("isReplay") is True and event.get("type") == "user"


def local_command_output(event: JsonObject) -> str | None:
    """Return what Claude Code reports in the name of the user about a request, such as another model; None if nothing.

    Releases 2.1.176 to 2.1.332 confirm `set_model` so, besides the response.
    """
    content = mapping(event.get("message")).get("content")
    match = _LOCAL_OUTPUT.fullmatch(content) if isinstance(content, str) else None
    return match[1] if match else None


def acknowledged_message(event: JsonObject) -> str | None:
    """Return the id of the message that Claude Code reports to have; None if it has cancelled it."""
    return None if event.get("state") == "cancelled" else text(event.get("command_uuid"))


class ControlResponse(NamedTuple):
    """Claude Code's response to a request; `error` is its reason for a refusal."""

    request_id: str
    error: str | None


def control_response(event: JsonObject) -> ControlResponse | None:
    """Return the response in a `control_response` line."""
    response = mapping(event.get("response"))
    request_id = text(response.get("request_id"))
    if request_id is None:
        return None
    is_refused = response.get("subtype") == "error"
    return ControlResponse(request_id, (text(response.get("error")) or "no reason given") if is_refused else None)


class HostRequest(NamedTuple):
    """A request for permission that Claude Code makes to its host as well as to the hook."""

    id: str
    tool_id: str
    tool_name: str


def permission_request(event: JsonObject) -> HostRequest | None:
    """Return the request for permission in a `control_request` line; None for other requests."""
    request = mapping(event.get("request"))
    request_id, tool_id = text(event.get("request_id")), text(request.get("tool_use_id"))
    if request.get("subtype") != "can_use_tool" or request_id is None:
        return None
    return HostRequest(request_id, tool_id or "", text(request.get("tool_name")) or "")


def is_known(event: JsonObject) -> bool:
    """Return whether hldctl knows this kind of line, even if it ignores it."""
    kind = event.get("type")
    if kind == "system":
        subtype = text(event.get("subtype")) or ""
        return subtype in _SILENT_NOTES or subtype in _NOTES
    return isinstance(kind, str) and kind in _KINDS


def structured_result(event: JsonObject) -> JsonObject:
    """Return the structured data of a tool result; empty if the line holds several, since it belongs to one of them."""
    return _structured_data(event, content_blocks(mapping(event.get("message"))))


def _structured_data(event: JsonObject, message_blocks: list[JsonObject]) -> JsonObject:
    data = mapping(event.get("tool_use_result"))
    return data if data and sum(block.get("type") == "tool_result" for block in message_blocks) == 1 else {}


def _entry(block: JsonObject, role: str, parent: str | None, structured: JsonObject) -> Entry:
    kind = text(block.get("type")) or ""
    if kind == "text":
        message = text(block.get("text")) or ""
        is_note = role == "user" and message.startswith(_INTERRUPTED)
        note_kind = NoteKind.INTERRUPTED if is_note else None
        return Entry(_MESSAGE, role, message, parent_tool_use_id=parent, note_kind=note_kind)
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
        result_text = tool_result_text(block, structured)
        return Entry(
            _TOOL_RESULT,
            role,
            parent_tool_use_id=parent,
            tool_result_for_id=text(block.get("tool_use_id")),
            tool_result_content=result_text,
            is_error=block.get("is_error") is True,
            note_kind=NoteKind.TASK_RECEIPT if background_tasks.is_receipt(result_text, structured) else None,
        )
    return Entry(_MESSAGE, role, block_text([block]), parent_tool_use_id=parent)


def _as_json(value: Any) -> str:
    try:
        return _ENCODER.encode(value)
    except RecursionError:
        return "null"


def _notes(event: JsonObject, parent: str | None) -> list[Entry]:
    """Return the note for a line without a message, if any."""
    if event.get("type") == "rate_limit_event":
        kind, note_text = NoteKind.RATE_LIMIT, rate_limit_note(event)
    elif event.get("type") == "system" and (known := _NOTES.get(text(event.get("subtype")) or "")) is not None:
        kind, note_text = known[0], known[1](event)
    else:
        return []
    return [] if note_text is None else [Entry(_SYSTEM, "system", note_text, parent_tool_use_id=parent, note_kind=kind)]


def _api_retry(event: JsonObject) -> str:
    error = event.get("error_status") or event.get("error") or "no answer"
    delay_seconds = (whole_number(event.get("retry_delay_ms")) or 0) / 1000
    return f"API error {error}; attempt {event.get('attempt')} of {event.get('max_retries')} in {delay_seconds:.1f} s"


def _permission_denied(event: JsonObject) -> str:
    return denial_text(event.get("tool_name"), event.get("message"))


def denial_text(tool_name: Any, reason: Any) -> str:
    """Return the text of the note about a denied call."""
    return f"Permission denied for {tool_name}: {reason or 'no reason given'}"


def _task_started(event: JsonObject) -> str:
    return f"Task started: {event.get('description') or event.get('task_id')}"


def _task_notification(event: JsonObject) -> str:
    return f"Task {event.get('status') or 'changed'}: {event.get('summary') or event.get('task_id')}"


def _compaction_text(event: JsonObject) -> str:
    tokens = whole_number(mapping(event.get("compact_metadata")).get("pre_tokens"))
    return "Conversation compacted" if tokens is None else f"Conversation compacted; it had {tokens} tokens"


def _message_text(event: JsonObject) -> str:
    return block_text(event.get("content") or event.get("message") or event.get("subtype"))


def _session_created(event: JsonObject) -> str:
    return f"Session created with ID: {event.get('session_id')}"


_NOTES: dict[str, tuple[NoteKind, Callable[[JsonObject], str]]] = {
    "api_error": (NoteKind.API_ERROR, _message_text),
    "api_retry": (NoteKind.API_RETRY, _api_retry),
    "compact_boundary": (NoteKind.COMPACTED, _compaction_text),
    "informational": (NoteKind.INFORMATION, _message_text),
    "permission_denied": (NoteKind.PERMISSION_DENIED, _permission_denied),
    "session_created": (NoteKind.SESSION_CREATED, _session_created),
    "task_notification": (NoteKind.TASK, _task_notification),
    "task_started": (NoteKind.TASK, _task_started),
}


class ResultMessage(NamedTuple):
    """The contents of a `result` line, which is about one part of the run."""

    subtype: str
    is_error: bool
    terminal_reason: str
    result: str | None
    errors: tuple[str, ...]
    num_turns: int
    duration_ms: int
    permission_denials: list[JsonObject]
    api_error_status: int | None = None
    """The HTTP status if the API refused the request."""


def parse_result(event: JsonObject) -> ResultMessage:
    """Return the contents of a `result` line."""
    return ResultMessage(
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


def structured_output(event: JsonObject) -> str | None:
    """Return the object of a `result` line that fits the JSON Schema, as JSON; None if it has none."""
    output = event.get("structured_output")
    return json.dumps(output) if isinstance(output, dict) else None


# 2.1.330 gives the model the first 2 KB of a long output and writes the complete output to a file.
_TRUNCATED = "<persisted-output>"


def tool_result_text(block: JsonObject, structured: JsonObject) -> str:
    """Return the text of a tool result as the model saw it, or more if the structured data contains more.

    `structured` is the line's `tool_use_result`, or empty if it does not belong to a single result.
    """
    result_text = block_text(block.get("content"))
    if structured.get("type") == "image":
        return image_placeholder(mapping(structured.get("file")))
    if result_text.startswith(_TRUNCATED) or not result_text:
        return _output(structured) or result_text
    patch = _patch(structured)
    return f"{result_text}\n{patch}" if patch else result_text


def is_allowed(event: JsonObject, tool_id: str, *, is_error: bool) -> bool | None:
    """Return True if the call with this result was allowed, False if a hook denied it, and None if it is unknown.

    2.1.330 records the decision for each result. The source is `hook` for any hook, hldctl's or another.
    """
    for result_meta in map(mapping, sequence(event.get("tool_result_meta"))):
        decision = mapping(result_meta.get("permission_decision"))
        if result_meta.get("id") != tool_id or not decision:
            continue
        if decision.get("decision") == "accept":
            return True
        return False if decision.get("decision") == "reject" and decision.get("source") == "hook" else None
    return None if is_error else True


def is_rejected(event: JsonObject, tool_id: str) -> bool:
    """Return whether the call with this result was denied with an interrupt, or interrupted before or while it ran."""
    return any(
        meta.get("id") == tool_id and meta.get("non_execution_kind") == "user-rejected"
        for meta in map(mapping, sequence(event.get("tool_result_meta")))
    )


def image_placeholder(file: JsonObject) -> str:
    """Return a placeholder with an image's type and size: `[image image/png 800x600]`."""
    dimensions = mapping(file.get("dimensions"))
    width, height = (whole_number(dimensions.get(f"original{side}")) for side in ("Width", "Height"))
    size = f"{width}x{height}" if width and height else None
    return f"[{' '.join(part for part in ('image', text(file.get('type')), size) if part)}]"


def _output(structured: JsonObject) -> str:
    streams = [text(structured.get(name)) for name in ("stdout", "stderr")]
    output = "\n".join(stream for stream in streams if stream)
    path = text(structured.get("persistedOutputPath"))
    if output and path is not None:
        # These are the first 30,000 characters, without a sign of truncation.
        output += f"\n[cut short: {structured.get('persistedOutputSize')} bytes in all, in {path}]"
    return output


def _patch(structured: JsonObject) -> str:
    """Return the hunks of an edit as a unified diff."""
    lines: list[str] = []
    for hunk in sequence(structured.get("structuredPatch")):
        hunk = mapping(hunk)
        old, new = (f"{hunk.get(side + 'Start')},{hunk.get(side + 'Lines')}" for side in ("old", "new"))
        lines.append(f"@@ -{old} +{new} @@")
        lines += [line for line in sequence(hunk.get("lines")) if isinstance(line, str)]
    return "\n".join(lines)


# Seconds since 1970 from 2001 to 2286. A thousand times as much is milliseconds; any other number is not a timestamp.
_PLAUSIBLE_SECONDS = range(10**9, 10**10)


def rate_limit_note(event: JsonObject) -> str | None:
    """Return the note for a `rate_limit_event`; None if no limit is near."""
    status = _status(event)
    return None if status in (None, "allowed") else f"Rate limit: {status}"


def is_limit_reached(event: JsonObject) -> bool:
    """Return whether a `rate_limit_event` says that requests are refused."""
    return _status(event) == "rejected"


def limit_resets_at(event: JsonObject) -> int | None:
    """Return when the limit resets, in milliseconds since 1970; None unless requests are refused until then."""
    if not is_limit_reached(event):
        return None
    limit = _limit(event)
    timestamp = whole_number(limit.get("resetsAt")) or whole_number(limit.get("resets_at"))
    if timestamp is None:
        return None
    if timestamp in _PLAUSIBLE_SECONDS:
        return timestamp * 1000
    return timestamp if timestamp // 1000 in _PLAUSIBLE_SECONDS else None


def _status(event: JsonObject) -> str | None:
    return text(_limit(event).get("status"))


def _limit(event: JsonObject) -> JsonObject:
    return mapping(event.get("rate_limit_info")) or event
