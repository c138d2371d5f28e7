"""A line of the stream read quickly: as `stream.decode` reads it, which has the last word on whatever is unusual."""

from __future__ import annotations

import orjson

from hldctl.claude import stream
from hldctl.claude.stream import JsonObject

_SHAPE = bytes.maketrans(b"123456789[", b"000000000{")
_LONG_NUMBER = b"0" * 19
"""Digits: such a number may be larger than 64 bits, which orjson rounds."""
_LONGEST = 1 << 16
"""Bytes; of longer lines there are few. Where orjson runs short of memory the process dies, which json survives."""


def decode(line: bytes) -> JsonObject | None:
    """The object that a line holds; None for anything else."""
    if len(line) > _LONGEST:
        return stream.decode(line)
    shape = line.translate(_SHAPE)
    if _LONG_NUMBER in shape or shape.count(b"{") > stream.DEEPEST:
        return stream.decode(line)
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        # It refuses more than json does, half surrogate pairs and bytes that are no UTF-8 for example.
        return stream.decode(line)
    return value if isinstance(value, dict) else None
