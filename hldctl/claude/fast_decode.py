"""Fast decoder for lines of the stream. It leaves unusual lines to `stream.decode` and gives the same results."""

from __future__ import annotations

import orjson

from hldctl.claude import stream
from hldctl.claude.stream import JsonObject

_SHAPE = bytes.maketrans(b"123456789[", b"000000000{")
# A number with this many digits may be larger than 64 bits; orjson would round it.
_LONG_NUMBER = b"0" * 19
# Longer lines are rare. If memory runs out in orjson the process dies, while json raises an error.
_MAX_BYTES = 1 << 16


def decode(line: bytes) -> JsonObject | None:
    """Return the object in a line; None for anything else."""
    if len(line) > _MAX_BYTES:
        return stream.decode(line)
    shape = line.translate(_SHAPE)
    if _LONG_NUMBER in shape or shape.count(b"{") > stream.MAX_NESTING:
        return stream.decode(line)
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        # orjson rejects more than json does, such as unpaired surrogates and invalid UTF-8.
        return stream.decode(line)
    return value if isinstance(value, dict) else None
