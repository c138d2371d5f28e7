"""The budgets as a table."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hldctl.cli import output
from hldctl.cli.render.format import dollars, percent
from hldctl.sessions.inspect.budgets import BudgetState

HEADINGS = ("BUDGET", "LIMIT", "SPENT", "USED", "RESERVED", "REST", "UNTIL")
_NAMES = 1


def rows(states: Sequence[BudgetState]) -> list[tuple[str, ...]]:
    """Return the cells of each budget."""
    return [
        (
            _name(state),
            dollars(state.limit_usd),
            f"{'~' if state.estimated_usd else ''}{dollars(state.spent_usd)}",
            percent(state.spent_usd / state.limit_usd),
            dollars(state.reserved_usd),
            dollars(state.rest_usd),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(state.until / 1000)),
        )
        for state in states
    ]


def print_plain(states: Sequence[BudgetState]) -> None:
    """Print the table, with amounts aligned to the right."""
    lines = [HEADINGS, *rows(states)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for name, *rest in lines:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[_NAMES:], strict=True))
        output.print_data("  ".join([name.ljust(widths[0]), *cells]).rstrip())


def note_estimates(states: Sequence[BudgetState]) -> None:
    """Say what the sign of an estimate means, if there is one."""
    if any(state.estimated_usd for state in states):
        output.print_note("~ includes an estimate for runs that ended before Claude Code reported their cost")


def _name(state: BudgetState) -> str:
    name = state.period if state.group is None else f"{state.group} {state.period}"
    return output.one_line(f"{name} (rehearsed)" if state.rehearsed else name)
