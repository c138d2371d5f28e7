"""Reading Claude Code's stream: one JSON object a line, as written by 2.1.330 and as tolerantly as can be.

Nothing here raises on what a line may hold: a value of an unexpected type counts as absent.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

LARGEST_COUNT = 2**53
"""What a count may be: far more than there is to count, and sums of many still fit into a database's 63 bits."""
_YEAR_10000 = 253_402_300_800_000

JsonObject = dict[str, Any]


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


# NaN and Infinity, written so or by overflow, are in no JSON that others could read again.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite)
DEEPEST = 200
"""Levels of nesting: what is read here at a shallow stack must be readable elsewhere at a deeper one."""


def decode(line: bytes) -> JsonObject | None:
    """The object that a line holds; None for anything else."""
    try:
        # errors="replace": what is no UTF-8 is kept in the journal and readable here.
        document = line.decode("utf-8", errors="replace").strip()
        value, end = _DECODER.raw_decode(document)
        if end != len(document):
            return None
        if line.count(b"{") + line.count(b"[") > DEEPEST and is_deep(value):
            return None
        # An escaped half of a surrogate pair is legal in JSON and in no database.
        if b"\\u" in line and (b"\\ud" in line or b"\\uD" in line):
            value = without_surrogates(value)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_deep(value: Any) -> bool:
    """Whether it is nested beyond what can be read and written at any stack."""
    level = [value]
    for _ in range(DEEPEST):
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True


def without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def whole_number(value: Any) -> int | None:
    """A count or an amount that the database can hold."""
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, int | float)):
        return None
    return int(value) if -LARGEST_COUNT <= value <= LARGEST_COUNT else None


def number(value: Any) -> float | None:
    """An amount of which many can be added up."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= LARGEST_COUNT else None


def mapping(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def milliseconds(timestamp: Any) -> int | None:
    """The line's own time, which 2.1.330 gives to `assistant` and `user` lines."""
    if not isinstance(timestamp, str):
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since_1970 = int(moment.timestamp() * 1000 + 0.5)
    except (ValueError, OverflowError):
        return None
    return since_1970 if 0 <= since_1970 < _YEAR_10000 else None


def blocks(message: JsonObject) -> list[JsonObject]:
    """The content blocks of a message; a plain string counts as one text block."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    # The usual case first, here and below: some ten thousand lines a second are read by this.
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        return content
    return [
        {"type": "text", "text": block} if isinstance(block, str) else block
        for block in sequence(content)
        if isinstance(block, dict | str)
    ]


def block_text(content: Any) -> str:
    """The text of a tool result or message part; what is no text is named, not dropped."""
    if isinstance(content, str):
        return content
    return "\n".join(_part(block) for block in blocks({"content": content}))


def _part(block: JsonObject) -> str:
    if (plain := text(block.get("text"))) is not None:
        return plain
    kind = text(block.get("type")) or "block"
    source = mapping(block.get("source"))
    details = [text(source.get("media_type")), text(block.get("title")), text(block.get("tool_name"))]
    return f"[{' '.join([kind, *(detail for detail in details if detail)])}]"
