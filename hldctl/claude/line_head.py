"""Parser for the beginning of a line that was truncated."""

from __future__ import annotations

import re

from hldctl.claude import stream
from hldctl.claude.stream import JsonObject

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*("?)|[{}\[\],]', re.DOTALL)
_INCOMPLETE_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")
_CLOSING = {"{": "}", "[": "]"}


def decode_head(head: bytes) -> JsonObject | None:
    """Return the object at the beginning of a line, as far as it is complete; None without an object.

    A truncated string is kept as far as it goes; any other truncated value is left out, with its name.
    """
    text = head.decode("utf-8", errors="ignore")
    levels: list[str] = []
    # The end of the last complete member.
    complete_end = 0
    is_in_string = False
    for match in _TOKEN.finditer(text):
        symbol = match[0]
        if symbol in _CLOSING:
            levels.append(symbol)
            complete_end = match.end()
        elif symbol in ("}", "]"):
            if not levels or _CLOSING[levels.pop()] != symbol:
                return None
            complete_end = match.end()
        elif symbol == ",":
            complete_end = match.start()
        elif not match[1]:
            is_in_string = True
            break
    closing = "".join(_CLOSING[level] for level in reversed(levels))
    if is_in_string:
        # This is valid only if the truncated string is a value, not a name.
        event = stream.decode((_INCOMPLETE_ESCAPE.sub(r"\1", text) + '"' + closing).encode())
        if event is not None:
            return event
    return stream.decode((text[:complete_end] + closing).encode())
