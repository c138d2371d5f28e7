"""Sums over sessions, drawn: as many columns as there is room for, and a bar for each line."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.bar import Bar
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hldctl.cli import screen
from hldctl.cli.stats_table import COLUMNS, TOTAL, Column, key
from hldctl.states import Status
from hldctl.store import statistics
from hldctl.store.statistics import By, Sums

_GAP = 2
_SHORTEST_BAR = 10
_LONGEST_BAR = 60
_SHORTEST_KEY = 20
"""To which keys are shortened before a column goes."""


def draw(by: By, found: Sequence[Sums]) -> None:
    console = screen.console()
    whole = statistics.total(found)
    keys = [_key(by, sums) for sums in found]
    longest = max(map(cell_len, [by, TOTAL, *keys]))
    # The last column of a terminal is left free: some begin a new line once it is written.
    width = console.width - 1
    shown = _with_room(found, whole, width - min(longest, _SHORTEST_KEY) - _SHORTEST_BAR - _GAP)
    room = width - _width(shown, found, whole) - _GAP
    key_width = min(longest, max(room - _SHORTEST_BAR, len(TOTAL)))
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim", footer_style="bold")
    table.show_footer = True
    table.add_column(by.upper(), TOTAL, no_wrap=True, width=key_width)
    for column in shown:
        table.add_column(column.heading, column.cell(whole), justify="right", no_wrap=True)
    table.add_column()
    bars = _bars(found, min(room - key_width, _LONGEST_BAR))
    for name, sums, bar in zip(keys, found, bars, strict=True):
        cells = (Text(column.cell(sums), _STYLES.get(column.heading, "")) for column in shown)
        table.add_row(_fitted(by, name, key_width), *cells, "" if console.options.ascii_only else bar)
    console.print(table)


def _with_room(found: Sequence[Sums], whole: Sums, room: int) -> list[Column]:
    """The columns that matter most, in their order; those that say nothing are none."""
    shown = [column for column in COLUMNS if column.cell(whole)]
    while _width(shown, found, whole) > room and any(column.rank for column in shown):
        shown.remove(max(shown, key=lambda column: column.rank))
    return shown


def _width(shown: Sequence[Column], found: Sequence[Sums], whole: Sums) -> int:
    return sum(
        _GAP + max(len(column.heading), *(len(column.cell(sums)) for sums in [*found, whole])) for column in shown
    )


def _key(by: By, sums: Sums) -> str:
    home = os.path.expanduser("~")
    name = key(sums)
    return f"~{name[len(home) :]}" if by is By.DIRECTORY and f"{name}/".startswith(f"{home}/") else name


def _fitted(by: By, name: str, width: int) -> Text:
    if by is By.STATUS:
        return Text(name, screen.STYLES[Status(name)])
    # The end of a path says more than its beginning.
    is_long_path = by is By.DIRECTORY and cell_len(name) > width
    return Text(f"…{name[-width + 1 :]}" if is_long_path else name, overflow="ellipsis")


_STYLES = {
    "COMPLETED": screen.STYLES[Status.COMPLETED],
    "FAILED": screen.STYLES[Status.FAILED],
    "INTERRUPTED": screen.STYLES[Status.INTERRUPTED],
    "RUNNING": screen.STYLES[Status.RUNNING],
    "COST": "bold",
}


def _bars(found: Sequence[Sums], width: int) -> list[RenderableType]:
    """Of the cost, or of the sessions where nothing has cost."""
    costs = [sums.cost_usd or 0.0 for sums in found]
    lengths = costs if any(costs) else [float(sums.sessions) for sums in found]
    return [Bar(size=max(lengths), begin=0, end=length, width=max(width, 1), color="cyan") for length in lengths]
