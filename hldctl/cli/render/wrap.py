"""Wrapping of lines at the width of a terminal that keeps every character, also blanks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import chop_cells
from rich.text import Text

from hldctl.cli.render.requests.line import Line

_TAB = 8
# Marks the rest of a wrapped line, to tell it apart from a line of the call itself.
_CONTINUATION = "↪ "


def rows(lines: Sequence[Line], width: int) -> Iterator[Text]:
    """Yield the rows of all lines."""
    for line in lines:
        first, *others = _chop(line.text.expandtabs(_TAB), width)
        yield Text(first, line.style)
        for other in others:
            yield Text.assemble((_CONTINUATION, "dim"), (other, line.style))


def _chop(text: str, width: int) -> list[str]:
    """Split text into a first part as wide as the terminal, and others with room for the mark of a continuation."""
    if text.isascii() and len(text) <= width:
        return [text]
    first, *others = chop_cells(text, max(2, width)) or [""]
    if not others:
        return [first]
    return [first, *chop_cells(text[len(first) :], max(2, width - len(_CONTINUATION)))]
