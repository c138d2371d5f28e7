"""Statistics as a table on a terminal, with as many columns as fit and a bar in each line."""

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
from hldctl.store.statistics import GroupBy, Sums

_GAP = 2
_MIN_BAR_WIDTH = 10
_MAX_BAR_WIDTH = 60
# Drawing more takes seconds, and nobody reads it.
_MAX_LINES = 100
# Keys are shortened to this width before a column is left out.
_MIN_KEY_WIDTH = 20

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


def draw(by: GroupBy, rows: Sequence[Sums]) -> None:
    """Print the table; at most `_MAX_LINES` lines."""
    total = statistics.total(rows)
    visible = rows[-_MAX_LINES:] if by is GroupBy.DAY else rows[:_MAX_LINES]
    _draw(by, visible, total)
    if len(visible) < len(rows):
        end = "last" if by is GroupBy.DAY else "most expensive"
        output.print_note(f"showing only the {end} {len(visible)} of {len(rows)}; in a pipe, all are shown")


def _draw(by: GroupBy, rows: Sequence[Sums], total: Sums) -> None:
    console = rich_console.console()
    keys = [_key(by, sums) for sums in rows]
    longest = max(map(cell_len, [by, TOTAL, *keys]))
    # Leave the last column free: some terminals begin a new line when it is written.
    width = console.width - 1
    columns = _fit(_columns(rows, total), width - min(longest, _MIN_KEY_WIDTH) - _MIN_BAR_WIDTH - _GAP)
    room = width - sum(column.width for column in columns) - _GAP
    key_width = min(longest, max(room - _MIN_BAR_WIDTH, min(room, _MIN_KEY_WIDTH), len(TOTAL)))
    has_bars = room - key_width > 0 and not console.options.ascii_only

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim", footer_style="bold")
    table.show_footer = True
    table.add_column(by.upper(), TOTAL, no_wrap=True, width=key_width)
    for column in columns:
        table.add_column(
            column.heading, column.total, justify="right", no_wrap=True, style=_STYLES.get(column.heading, "")
        )
    table.add_column()
    bars = _bars(rows, min(room - key_width, _MAX_BAR_WIDTH)) if has_bars else [""] * len(rows)
    for name, *cells, bar in zip(keys, *(column.cells for column in columns), bars, strict=True):
        table.add_row(_key_cell(by, name, key_width), *cells, bar)
    console.print(table)


def _columns(rows: Sequence[Sums], total: Sums) -> list[_Column]:
    """Return the columns that are not empty."""
    return [
        _Column(heading, [cell(sums) for sums in rows], cell(total), rank)
        for heading, cell, rank in COLUMNS
        if cell(total)
    ]


def _fit(columns: list[_Column], room: int) -> list[_Column]:
    """Return the most important columns that fit, in their order."""
    fitting = list(columns)
    while sum(column.width for column in fitting) > room and any(column.rank for column in fitting):
        fitting.remove(max(fitting, key=lambda column: column.rank))
    return fitting


def _key(by: GroupBy, sums: Sums) -> str:
    name = key(sums)
    return abbreviate_home(name) if by is GroupBy.DIRECTORY else name


def _key_cell(by: GroupBy, name: str, width: int) -> Text:
    if by is GroupBy.STATUS:
        return Text(name, rich_console.STYLES[Status(name)])
    # The end of a path is more informative than its start.
    is_long_path = by is GroupBy.DIRECTORY and cell_len(name) > width
    return Text(f"…{name[-width + 1 :]}" if is_long_path else name, overflow="ellipsis")


def _bars(rows: Sequence[Sums], width: int) -> list[RenderableType]:
    """Return a bar of the cost for each row, or of the number of sessions if nothing has a cost."""
    costs = [sums.cost_usd or 0.0 for sums in rows]
    lengths = costs if any(costs) else [float(sums.sessions) for sums in rows]
    return [Bar(size=max(lengths), begin=0, end=length, width=width, color="cyan") for length in lengths]
