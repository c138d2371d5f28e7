"""Reading the beginning of a line whose rest is left out."""

from __future__ import annotations

import re

from hldctl.claude import stream
from hldctl.claude.stream import JsonObject

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*("?)|[{}\[\],]', re.DOTALL)
_UNENDED_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")
_CLOSING = {"{": "}", "[": "]"}


def decode_head(head: bytes) -> JsonObject | None:
    """Return the object of a line, as far as its head tells; None if that begins no object.

    A text that is cut off is kept as far as it goes; any other value that is cut off is left out, with its name.
    """
    text = head.decode("utf-8", errors="ignore")
    levels: list[str] = []
    whole = 0
    """Where the last member ends that is not cut off."""
    is_in_text = False
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _CLOSING:
            levels.append(mark)
            whole = token.end()
        elif mark in ("}", "]"):
            if not levels or _CLOSING[levels.pop()] != mark:
                return None
            whole = token.end()
        elif mark == ",":
            whole = token.start()
        elif not token[1]:
            is_in_text = True
            break
    closing = "".join(_CLOSING[level] for level in reversed(levels))
    if is_in_text:
        # Valid only if what is cut off is a value rather than a name.
        event = stream.decode((_UNENDED_ESCAPE.sub(r"\1", text) + '"' + closing).encode())
        if event is not None:
            return event
    return stream.decode((text[:whole] + closing).encode())
