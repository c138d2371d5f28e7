"""A table layout that shows as many columns as fit into the terminal's width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

_GAP = 2
# Columns that may be truncated to a minimal width, before other columns are left out.
_MIN_WIDTHS = {"TITLE": 18, "ACTIVITY": 18}
# The title is truncated to this before the last column that can be left out is.
_NARROW_TITLE = 8


@dataclass(frozen=True)
class Cell:
    """The content of a cell."""

    text: Text
    tail: Text = field(default_factory=Text)
    """Text at the end that is not truncated, such as a duration."""

    @property
    def width(self) -> int:
        return cell_len(self.text.plain) + cell_len(self.tail.plain)

    def render(self, width: int, *, right_aligned: bool = False) -> Text:
        text = self.text.copy()
        text.truncate(max(1, width - cell_len(self.tail.plain)), overflow="ellipsis")
        text.append_text(self.tail)
        text.truncate(width, overflow="ellipsis")
        blank = " " * (width - cell_len(text.plain))
        return Text.assemble(blank, text) if right_aligned else text.append(blank)


@dataclass(frozen=True)
class Layout:
    """The treatment of columns, by name."""

    removal_order: Sequence[str]
    """Columns in the order in which they are left out; others are always shown."""
    shown_if_empty: frozenset[str]
    """Columns that are shown even if they are empty."""
    numbers: frozenset[str]
    """Columns aligned to the right."""


def lines(columns: Mapping[str, Sequence[Cell]], layout: Layout, width: int) -> list[Text]:
    """Return the header, and a line for each row; none is wider than the terminal."""
    natural_widths = {name: max((cell.width for cell in cells), default=0) for name, cells in columns.items()}
    visible = {
        name: max(len(name), room) for name, room in natural_widths.items() if room or name in layout.shown_if_empty
    }
    widths = _widths(visible, layout, width)
    cells_by_column = [[Cell(Text(name, "dim")), *columns[name]] for name in widths]
    return [_line(cells, widths, layout) for cells in zip(*cells_by_column, strict=True)]


def _widths(natural: Mapping[str, int], layout: Layout, width: int) -> dict[str, int]:
    """Return the width of each visible column."""
    visible = dict(natural)
    for name in layout.removal_order:
        needed = _minimal_widths(visible)
        if name == layout.removal_order[-1]:
            needed["TITLE"] = min(needed["TITLE"], _NARROW_TITLE)
        if _total_width(needed) <= width:
            break
        visible.pop(name, None)
    widths = _minimal_widths(visible)
    spare = width - _total_width(widths)
    title, activity = (visible.get(name, 0) - widths.get(name, 0) for name in _MIN_WIDTHS)
    # Title and activity get half of the spare width each, or what the other one does not need.
    title_extra = max(0, min(title, max(spare // 2, spare - activity)))
    # On a very narrow terminal the spare width is negative.
    widths["TITLE"] = max(1, widths["TITLE"] + (title_extra if spare >= 0 else spare))
    if "ACTIVITY" in widths:
        widths["ACTIVITY"] += min(activity, spare - title_extra)
    return widths


def _minimal_widths(visible: Mapping[str, int]) -> dict[str, int]:
    return {name: min(room, _MIN_WIDTHS.get(name, room)) for name, room in visible.items()}


def _total_width(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _line(cells: Sequence[Cell], widths: Mapping[str, int], layout: Layout) -> Text:
    parts = [
        cell.render(room, right_aligned=name in layout.numbers)
        for cell, (name, room) in zip(cells, widths.items(), strict=True)
    ]
    line = Text(" " * _GAP).join(parts)
    line.rstrip()
    return line
