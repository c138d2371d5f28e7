"""Lines cut into rows that a terminal has room for: nothing is left out, and no blank either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import chop_cells
from rich.text import Text

from hldctl.cli.render.permission_request import Line

_TAB = 8
_CONTINUATION = "↪ "
"""Before what has no room in the row above: it is no line of the call's own."""


def rows(lines: Sequence[Line], width: int) -> Iterator[Text]:
    for line in lines:
        first, *others = _chopped(line.text.expandtabs(_TAB), width)
        yield Text(first, line.style)
        for other in others:
            yield Text.assemble((_CONTINUATION, "dim"), (other, line.style))


def _chopped(text: str, width: int) -> list[str]:
    """Cut it; the first part is as wide as the terminal, the others leave room for what marks them."""
    if text.isascii() and len(text) <= width:
        return [text]
    first, *others = chop_cells(text, max(2, width)) or [""]
    if not others:
        return [first]
    return [first, *chop_cells(text[len(first) :], max(2, width - len(_CONTINUATION)))]
