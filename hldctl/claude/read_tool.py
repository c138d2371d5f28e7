"""What the Read tool showed of a file."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hldctl.claude import events
from hldctl.claude.stream import JsonObject, mapping, text, whole_number

# `1<TAB>text` in 2.1.330; `1→text` before. A parser that knows one of them only makes empty snapshots of the other.
_NUMBERED = re.compile(r"\s*\d+(?:\t|→)(.*)", re.DOTALL)


class Read(NamedTuple):
    """A call of the tool."""

    path: str
    partial: bool


class Shown(NamedTuple):
    """What came back; `whole` if it is all that the file holds."""

    content: str
    whole: bool


def called(tool_input: str | None) -> Read | None:
    """The call, by its input as JSON; None without a path."""
    values = mapping(json.loads(tool_input or "null"))
    path = text(values.get("file_path"))
    return None if path is None else Read(path, "limit" in values or "offset" in values or "pages" in values)


def shown(read: Read, structured: JsonObject, result: str) -> Shown:
    """From the structured result if there is one, else from the numbered lines of its text."""
    file = mapping(structured.get("file"))
    kind = text(structured.get("type"))
    if kind == "text" and (content := text(file.get("content"))) is not None:
        begins_at_the_first = (whole_number(file.get("startLine")) or 1) == 1
        lines, total = (whole_number(file.get(name)) for name in ("numLines", "totalLines"))
        return Shown(content, begins_at_the_first and lines == total)
    if kind == "image":
        return Shown(events.image(file), whole=True)
    if kind is not None and kind != "text":
        return Shown(f"[{kind}]", whole=True)
    return Shown(_without_numbers(result), whole=not read.partial)


def _without_numbers(result: str) -> str:
    numbered = [match[1] for line in result.split("\n") if (match := _NUMBERED.match(line))]
    return "\n".join(numbered) if numbered else result
