"""Mutation of inputs, deterministic for a given random.Random."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

_LONGEST = 64 << 10
_LINE_LIMIT = 12

_KINDS = (
    "assistant user system result rate_limit_event stream_event message_delta text thinking redacted_thinking tool_use"
    " server_tool_use tool_result mcp_tool_result image init api_retry api_error compact_boundary permission_denied"
    " task_started task_notification success error_max_turns Read Bash aborted_tools <synthetic>"
).split()
_KEYS = (
    "type subtype message content role id usage model session_id parent_tool_use_id timestamp text thinking tool_use_id"
    " name input is_error result errors total_cost_usd modelUsage num_turns duration_ms permission_denials file_path"
    " input_tokens output_tokens model_usage_since_last_result terminal_reason mcp_servers status tool_use_result file"
    " structuredPatch event limit offset costUSD contextWindow mcpServers command url env headers args"
).split()


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, -0.0, 2**31, 2**53, 2**63, -(2**63) - 1, 10**400, 5e-324),
    *(1e308, -1e308, float("nan"), float("inf"), float("-inf")),
    *("", " ", "\0", "\ud800", "\udfff\ud800", "\U0001f600", "\u2028\u2029\x85", "\x1b[2J\x9b31m\x07", "\u202eevil"),
    *("a\r\nb\rc\n", "x" * 3000, "[Request interrupted by user]", "=", "a=b"),
    *("2026-11-22T19:51:12.608Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999Z", "20261122", "T"),
    *([], {}, [[]], [None], {"": ""}, ["a", 1, {}], _nested(100), _nested(199), _nested(250), _nested(900)),
)
_BYTES = (
    b"\0",
    b"\n",
    b"\r\n",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b'"',
    b"{",
)

Change = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def mutate(chance: random.Random, inputs: Sequence[bytes]) -> bytes:
    data = _window(chance, chance.choice(inputs))
    for _ in range(chance.choice((1, 1, 2, 2, 3, 5))):
        data = chance.choice(_CHANGES)(chance, data, inputs)
    return data[:_LONGEST]


def _window(chance: random.Random, data: bytes) -> bytes:
    """Return some neighbouring lines: most failures need only a few."""
    lines = data.split(b"\n")
    count = chance.randint(1, _LINE_LIMIT)
    start = chance.randrange(max(1, len(lines) - count + 1))
    return b"\n".join(lines[start : start + count])


def _span(chance: random.Random, data: bytes) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 2, 8, 64, 512)))


def _flip(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _number in range(chance.choice((1, 1, 4)) if data else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _remove(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + data[end:]


def _insert(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, _end = _span(chance, data)
    return data[:start] + chance.choice(_BYTES) + data[start:]


def _splice(chance: random.Random, data: bytes, inputs: Sequence[bytes]) -> bytes:
    other = _window(chance, chance.choice(inputs))
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _append(chance: random.Random, data: bytes, inputs: Sequence[bytes]) -> bytes:
    return data + b"\n" + _window(chance, chance.choice(inputs))


def _digits(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, _end = _span(chance, data)
    return data[:start] + b"9" * chance.choice((1, 20, 400, 5000)) + data[start:]


def _lines(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Duplicate, drop, move or truncate a line."""
    lines = data.split(b"\n")
    index, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            lines.insert(other, lines[index])
        case 1:
            del lines[index]
        case 2:
            lines[index], lines[other] = lines[other], lines[index]
        case _:
            lines[index] = lines[index][: chance.randrange(len(lines[index]) + 1)]
    return b"\n".join(lines)


def _json(chance: random.Random, data: bytes, inputs: Sequence[bytes]) -> bytes:
    """Replace a value or a key in a line of JSON."""
    lines = data.split(b"\n")
    index = chance.randrange(len(lines))
    try:
        value = json.loads(lines[index])
        lines[index] = _dump(chance, _change_value(chance, value))
    except (ValueError, RecursionError):
        return _flip(chance, data, inputs)
    return b"\n".join(lines)


def _dump(chance: random.Random, value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.1 and text.startswith("{") and len(text) > 2:
        # A duplicate key: the later one counts.
        text = f'{{"{chance.choice(_KEYS)}": {json.dumps(chance.choice(NASTY))}, {text[1:]}'
    return text.encode("utf-8", "surrogatepass")


def _change_value(chance: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        match chance.randrange(12):
            case 0:
                return {name: item for name, item in value.items() if name != key}
            case 1:
                return {chance.choice(_KEYS) if name == key else name: item for name, item in value.items()}
            case 2:
                return value | {chance.choice(_KEYS): value[key]}
            case 3:
                return value | {chance.choice(_KEYS): _random_value(chance)}
        return value | {key: _change_value(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.9:
        index = chance.randrange(len(value))
        match chance.randrange(6):
            case 0:
                return [*value[:index], *value[index + 1 :]]
            case 1:
                return [*value, value[index]]
        return [*value[:index], _change_value(chance, value[index]), *value[index + 1 :]]
    return _random_value(chance)


def _random_value(chance: random.Random) -> Any:
    return chance.choice(_KINDS) if chance.random() < 0.3 else chance.choice(NASTY)


_CHANGES: tuple[Change, ...] = (_flip, _remove, _insert, _splice, _append, _digits, _lines, _lines, *(_json,) * 10)
