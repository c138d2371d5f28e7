"""The budgets as a table at a terminal; one that is nearly or completely spent has a colour."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from hldctl.cli.render.budgets import HEADINGS, rows
from hldctl.cli.terminal import rich_console
from hldctl.sessions.inspect.budgets import BudgetState

_GAP = 2
_NEARLY = 0.8


def draw(states: Sequence[BudgetState]) -> None:
    """Print the table."""
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(HEADINGS[0], no_wrap=True, overflow="ellipsis")
    for heading in HEADINGS[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    for state, (name, *cells) in zip(states, rows(states), strict=True):
        table.add_row(Text(name), *cells, style=_style(state))
    rich_console.console().print(table)


def _style(state: BudgetState) -> str:
    share = state.spent_usd / state.limit_usd
    return "red" if share >= 1 else "yellow" if share >= _NEARLY else ""
