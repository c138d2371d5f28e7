"""Tolerant parser for Claude Code's stream, which has one JSON object per line (2.1.330).

No content of a line raises an error here: a value of an unexpected type counts as absent.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

MAX_COUNT = 2**53
"""The largest valid count: more than any real one, and sums of many still fit into a database's 63 bits."""
_YEAR_10000_MS = 253_402_300_800_000

JsonObject = dict[str, Any]


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


# NaN and Infinity, as names or by overflow, are not valid JSON for other programs.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)
MAX_NESTING = 200
"""Maximum levels of nesting: a value decoded here, at a shallow stack, must also be decodable at a deeper one."""


def decode(line: bytes) -> JsonObject | None:
    """Return the object in a line; None for anything else."""
    try:
        # errors="replace": a line with invalid UTF-8 is readable here; the journal keeps the bytes.
        document = line.decode("utf-8", errors="replace").strip()
        value, end = _DECODER.raw_decode(document)
        if end != len(document):
            return None
        if line.count(b"{") + line.count(b"[") > MAX_NESTING and is_deep(value):
            return None
        # An escaped unpaired surrogate is valid in JSON, but not in a database.
        if b"\\u" in line and (b"\\ud" in line or b"\\uD" in line):
            value = replace_surrogates(value)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_deep(value: Any) -> bool:
    """Return whether the value is nested more deeply than can be read and written at any stack depth."""
    level = [value]
    for _ in range(MAX_NESTING):
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True


def replace_surrogates(value: Any) -> Any:
    """Return a copy in which each unpaired surrogate is replaced."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(item) for key, item in value.items()}
    return value


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def whole_number(value: Any) -> int | None:
    """Return a number as an integer; None for other types and for one that is too large for the database."""
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, int | float)):
        return None
    return int(value) if -MAX_COUNT <= value <= MAX_COUNT else None


def number(value: Any) -> float | None:
    """Return a number as a float; None for other types and for one that is too large to be added up."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= MAX_COUNT else None


def mapping(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def parse_timestamp_ms(timestamp: Any) -> int | None:
    """Return a line's timestamp in milliseconds since 1970; None if it is missing or invalid.

    2.1.330 writes timestamps in `assistant` and `user` lines.
    """
    if not isinstance(timestamp, str):
        return None
    try:
        time = datetime.fromisoformat(timestamp)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        time_ms = int(time.timestamp() * 1000 + 0.5)
    except (ValueError, OverflowError):
        return None
    return time_ms if 0 <= time_ms < _YEAR_10000_MS else None


def content_blocks(message: JsonObject) -> list[JsonObject]:
    """Return the content blocks of a message; a plain string counts as one text block."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    # The common case comes first, for speed: this reads some ten thousand lines a second.
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        return content
    return [
        {"type": "text", "text": block} if isinstance(block, str) else block
        for block in sequence(content)
        if isinstance(block, dict | str)
    ]


def block_text(content: Any) -> str:
    """Return the text of a tool result or message part, with a placeholder for each block that is not text."""
    if isinstance(content, str):
        return content
    return "\n".join(_text_or_placeholder(block) for block in content_blocks({"content": content}))


def _text_or_placeholder(block: JsonObject) -> str:
    if (plain_text := text(block.get("text"))) is not None:
        return plain_text
    kind = text(block.get("type")) or "block"
    source = mapping(block.get("source"))
    details = [text(source.get("media_type")), text(block.get("title")), text(block.get("tool_name"))]
    return f"[{' '.join([kind, *(detail for detail in details if detail)])}]"
