"""Cells in columns, of which as many are shown as the terminal's width has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

_GAP = 2
_LEAST = {"TITLE": 18, "ACTIVITY": 18}
"""Below this a text says nothing; the columns that have a least are cut before others are left out."""


@dataclass(frozen=True)
class Cell:
    text: Text
    tail: Text = field(default_factory=Text)
    """What is never cut, such as a clock."""

    @property
    def width(self) -> int:
        return cell_len(self.text.plain) + cell_len(self.tail.plain)

    def drawn(self, width: int, *, to_the_right: bool = False) -> Text:
        text = self.text.copy()
        text.truncate(max(1, width - cell_len(self.tail.plain)), overflow="ellipsis")
        text.append_text(self.tail)
        text.truncate(width, overflow="ellipsis")
        blank = " " * (width - cell_len(text.plain))
        return Text.assemble(blank, text) if to_the_right else text.append(blank)


@dataclass(frozen=True)
class Layout:
    """What becomes of columns, by their names."""

    left_out_first: Sequence[str]
    """Where there is no room for all; those that are not named are shown on any terminal."""
    always: frozenset[str]
    """Any other is left out while nothing stands in it."""
    numbers: frozenset[str]
    """Which stand at the right."""


def lines(columns: Mapping[str, Sequence[Cell]], layout: Layout, width: int) -> list[Text]:
    """The header, and a line for each row; none is wider than the terminal."""
    natural = {name: max((cell.width for cell in cells), default=0) for name, cells in columns.items()}
    shown = {name: max(len(name), room) for name, room in natural.items() if room or name in layout.always}
    widths = _widths(shown, layout, width)
    drawn = [[Cell(Text(name, "dim")), *columns[name]] for name in widths]
    return [_line(cells, widths, layout) for cells in zip(*drawn, strict=True)]


def _widths(natural: Mapping[str, int], layout: Layout, width: int) -> dict[str, int]:
    """The columns that are shown, and what each gets of the terminal's width."""
    shown = dict(natural)
    for name in layout.left_out_first:
        if _room(_least(shown)) <= width:
            break
        shown.pop(name, None)
    widths = _least(shown)
    spare = width - _room(widths)
    title, activity = (shown.get(name, 0) - widths.get(name, 0) for name in _LEAST)
    # Where both have to be cut each gets half; what one does not need is the other's.
    given = max(0, min(title, max(spare // 2, spare - activity)))
    # On a terminal of a few columns there is less than nothing to give.
    widths["TITLE"] = max(1, widths["TITLE"] + (given if spare >= 0 else spare))
    if "ACTIVITY" in widths:
        widths["ACTIVITY"] += min(activity, spare - given)
    return widths


def _least(shown: Mapping[str, int]) -> dict[str, int]:
    return {name: min(room, _LEAST.get(name, room)) for name, room in shown.items()}


def _room(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _line(cells: Sequence[Cell], widths: Mapping[str, int], layout: Layout) -> Text:
    drawn = [
        cell.drawn(room, to_the_right=name in layout.numbers)
        for cell, (name, room) in zip(cells, widths.items(), strict=True)
    ]
    line = Text(" " * _GAP).join(drawn)
    line.rstrip()
    return line
