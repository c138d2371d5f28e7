"""Parser for the calls and results of the Read tool."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hldctl.claude import events
from hldctl.claude.stream import JsonObject, mapping, text, whole_number

# `1<TAB>text` in 2.1.330; `1→text` before. A parser that knew only one form would make empty snapshots of the other.
_NUMBERED_LINE = re.compile(r"\s*\d+(?:\t|→)(.*)", re.DOTALL)


class ReadCall(NamedTuple):
    """A call of the Read tool."""

    path: str
    is_partial: bool


class FileExcerpt(NamedTuple):
    """The content that the tool returned; `whole` is True if it is the complete file."""

    content: str
    is_complete: bool


def parse_read_call(tool_input: str | None) -> ReadCall | None:
    """Return the call with this input, which is JSON; None if it has no path."""
    values = mapping(json.loads(tool_input or "null"))
    path = text(values.get("file_path"))
    return None if path is None else ReadCall(path, "limit" in values or "offset" in values or "pages" in values)


def file_excerpt(read: ReadCall, structured: JsonObject, result: str) -> FileExcerpt:
    """Return the content from the structured result if there is one, else from the numbered lines of the text."""
    file = mapping(structured.get("file"))
    kind = text(structured.get("type"))
    if kind == "text" and (content := text(file.get("content"))) is not None:
        starts_at_first_line = (whole_number(file.get("startLine")) or 1) == 1
        lines, total = (whole_number(file.get(name)) for name in ("numLines", "totalLines"))
        return FileExcerpt(content, starts_at_first_line and lines == total)
    if kind == "image":
        return FileExcerpt(events.image_placeholder(file), is_complete=True)
    if kind is not None and kind != "text":
        return FileExcerpt(f"[{kind}]", is_complete=True)
    return FileExcerpt(_remove_line_numbers(result), is_complete=not read.is_partial)


def _remove_line_numbers(result: str) -> str:
    lines = [match[1] for line in result.split("\n") if (match := _NUMBERED_LINE.match(line))]
    return "\n".join(lines) if lines else result
