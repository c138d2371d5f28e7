"""Sums over sessions, drawn: as many columns as there is room for, and a bar for each line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.bar import Bar
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hldctl.cli import output
from hldctl.cli.render.format import abbreviate_home
from hldctl.cli.render.stats_plain import COLUMNS, TOTAL, key
from hldctl.cli.terminal import rich_console
from hldctl.states import Status
from hldctl.store import statistics
from hldctl.store.statistics import By, Sums

_GAP = 2
_SHORTEST_BAR = 10
_LONGEST_BAR = 60
_MOST_LINES = 100
"""More takes seconds to draw, and nobody reads it."""
_SHORTEST_KEY = 20
"""To which keys are shortened before a column goes."""

_STYLES = {
    "COMPLETED": rich_console.STYLES[Status.COMPLETED],
    "FAILED": rich_console.STYLES[Status.FAILED],
    "INTERRUPTED": rich_console.STYLES[Status.INTERRUPTED],
    "RUNNING": rich_console.STYLES[Status.RUNNING],
    "COST": "bold",
}


class _Column(NamedTuple):
    heading: str
    cells: list[str]
    total: str
    rank: int

    @property
    def width(self) -> int:
        return _GAP + max(map(len, [self.heading, self.total, *self.cells]))


def draw(by: By, found: Sequence[Sums]) -> None:
    whole = statistics.total(found)
    shown = found[-_MOST_LINES:] if by is By.DAY else found[:_MOST_LINES]
    _draw(by, shown, whole)
    if len(shown) < len(found):
        which = "last" if by is By.DAY else "dearest"
        output.note(f"only the {which} {len(shown)} of {len(found)} shown; in a pipe, all are")


def _draw(by: By, found: Sequence[Sums], whole: Sums) -> None:
    console = rich_console.console()
    keys = [_key(by, sums) for sums in found]
    longest = max(map(cell_len, [by, TOTAL, *keys]))
    # The last column of a terminal is left free: some begin a new line once it is written.
    width = console.width - 1
    shown = _fitting(_columns(found, whole), width - min(longest, _SHORTEST_KEY) - _SHORTEST_BAR - _GAP)
    room = width - sum(column.width for column in shown) - _GAP
    key_width = min(longest, max(room - _SHORTEST_BAR, min(room, _SHORTEST_KEY), len(TOTAL)))
    has_bars = room - key_width > 0 and not console.options.ascii_only

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim", footer_style="bold")
    table.show_footer = True
    table.add_column(by.upper(), TOTAL, no_wrap=True, width=key_width)
    for column in shown:
        table.add_column(
            column.heading, column.total, justify="right", no_wrap=True, style=_STYLES.get(column.heading, "")
        )
    table.add_column()
    bars = _bars(found, min(room - key_width, _LONGEST_BAR)) if has_bars else [""] * len(found)
    for name, *cells, bar in zip(keys, *(column.cells for column in shown), bars, strict=True):
        table.add_row(_fitted(by, name, key_width), *cells, bar)
    console.print(table)


def _columns(found: Sequence[Sums], whole: Sums) -> list[_Column]:
    """Without those that say nothing."""
    return [
        _Column(heading, [cell(sums) for sums in found], cell(whole), rank)
        for heading, cell, rank in COLUMNS
        if cell(whole)
    ]


def _fitting(columns: list[_Column], room: int) -> list[_Column]:
    """Those that matter most, in their order."""
    shown = list(columns)
    while sum(column.width for column in shown) > room and any(column.rank for column in shown):
        shown.remove(max(shown, key=lambda column: column.rank))
    return shown


def _key(by: By, sums: Sums) -> str:
    name = key(sums)
    return abbreviate_home(name) if by is By.DIRECTORY else name


def _fitted(by: By, name: str, width: int) -> Text:
    if by is By.STATUS:
        return Text(name, rich_console.STYLES[Status(name)])
    # The end of a path says more than its beginning.
    is_long_path = by is By.DIRECTORY and cell_len(name) > width
    return Text(f"…{name[-width + 1 :]}" if is_long_path else name, overflow="ellipsis")


def _bars(found: Sequence[Sums], width: int) -> list[RenderableType]:
    """Of the cost, or of the sessions where nothing has cost."""
    costs = [sums.cost_usd or 0.0 for sums in found]
    lengths = costs if any(costs) else [float(sums.sessions) for sums in found]
    return [Bar(size=max(lengths), begin=0, end=length, width=width, color="cyan") for length in lengths]
