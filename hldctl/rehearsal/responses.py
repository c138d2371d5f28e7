"""Responses of the Messages API, as server-sent events or as one JSON object.

The shapes follow https://docs.claude.com/en/api/messages-streaming.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from hldctl.rehearsal.steps import Ask, Call, Hang, Model, Plan, Question, Say, Step, Think, Turn, Usage, Wait

Event = dict[str, Any]

_PLAN_FILE = re.compile(r"(?:plan at|plan file (?:already )?exists at) (/[^\n\"\\]+?\.md)\b")


def stream_events(turn: Turn, request: dict[str, Any]) -> Iterator[Event | Wait | Hang]:
    """Yield the events of a streamed response, with the script's pauses between them."""
    usage = _usage(turn, request)
    yield {"type": "message_start", "message": _message(turn, request, [], {**usage, "output_tokens": 1})}
    index = 0
    for step in turn:
        if isinstance(step, Wait | Hang):
            yield step
        for block in _blocks(step, request):
            yield from _block_events(index, block)
            index += 1
    stop = {"stop_reason": _stop_reason(turn), "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def complete_message(turn: Turn, request: dict[str, Any]) -> dict[str, Any]:
    """Return the response to a request that does not stream."""
    blocks = [block for step in turn for block in _blocks(step, request)]
    return {**_message(turn, request, blocks, _usage(turn, request)), "stop_reason": _stop_reason(turn)}


def error_body(status: int, message: str) -> dict[str, Any]:
    """Return the body of an error response."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"}
    kinds |= {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}


def _message(turn: Turn, request: dict[str, Any], content: list[Event], usage: dict[str, int]) -> dict[str, Any]:
    models = [step.name for step in turn if isinstance(step, Model)]
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": models[-1] if models else request.get("model", "claude"),
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _usage(turn: Turn, request: dict[str, Any]) -> dict[str, int]:
    # Four characters per token: the numbers only have to be plausible.
    output_length = sum(len(json.dumps(block)) for step in turn for block in _blocks(step, request))
    input_length = len(json.dumps(request.get("messages", [])))
    usage = {
        "input_tokens": max(1, input_length // 4),
        "output_tokens": max(1, output_length // 4),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    for step in turn:
        if isinstance(step, Usage):
            usage |= step.tokens
    return usage


def _blocks(step: Step, request: dict[str, Any]) -> list[Event]:
    match step:
        case Say(text):
            return [{"type": "text", "text": text}]
        case Think(text):
            return [{"type": "thinking", "thinking": text, "signature": "rehearsed"}]
        case Call(tool, tool_input):
            return [_tool_use(tool, tool_input)]
        case Ask(questions):
            return [_tool_use("AskUserQuestion", {"questions": [_question(question) for question in questions]})]
        case Plan(text):
            return _plan(text, request)
    return []


def _tool_use(tool: str, tool_input: dict[str, Any]) -> Event:
    return {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex}", "name": tool, "input": tool_input}


def _question(question: Question) -> dict[str, Any]:
    return {
        "question": question.text,
        "header": question.header,
        "options": [{"label": option.label, "description": option.description} for option in question.options],
        "multiSelect": question.is_multiple_choice,
    }


def _plan(text: str, request: dict[str, Any]) -> list[Event]:
    """Return the calls that present a plan: the tool reads it from the file that Claude Code has named (2.1.332)."""
    messages = json.dumps(request.get("messages", []), ensure_ascii=False)
    files = _PLAN_FILE.findall(messages)
    writes = [_tool_use("Write", {"file_path": files[-1], "content": text})] if files else []
    return [*writes, _tool_use("ExitPlanMode", {"plan": text})]


def _block_events(index: int, block: Event) -> Iterator[Event]:
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty[block["type"]]}}
    for delta in _deltas(block):
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _deltas(block: Event) -> Iterator[Event]:
    if block["type"] == "text":
        for piece in _pieces(block["text"]):
            yield {"type": "text_delta", "text": piece}
    elif block["type"] == "thinking":
        for piece in _pieces(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


def _pieces(text: str, length: int = 40) -> Iterator[str]:
    for start in range(0, len(text), length):
        yield text[start : start + length]


def _stop_reason(turn: Turn) -> str:
    return "tool_use" if any(isinstance(step, Call | Ask | Plan) for step in turn) else "end_turn"
