"""Statistics as a plain table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hldctl.cli import output
from hldctl.cli.render.format import compact_duration, count, dollars, percent
from hldctl.store import statistics
from hldctl.store.statistics import GroupBy, Sums

TOTAL = "total"


class Column(NamedTuple):
    """A column of the table."""

    heading: str
    cell: Callable[[Sums], str]
    rank: int
    """Columns with a higher rank are left out first if space is short."""


def _nonzero(number: int) -> str:
    return str(number) if number else ""


COLUMNS = (
    Column("SESSIONS", lambda sums: str(sums.sessions), 0),
    Column("COMPLETED", lambda sums: _nonzero(sums.completed), 8),
    Column("FAILED", lambda sums: _nonzero(sums.failed), 4),
    Column("INTERRUPTED", lambda sums: _nonzero(sums.interrupted), 7),
    Column("RUNNING", lambda sums: _nonzero(sums.running), 6),
    Column("SUCCESS", lambda sums: percent(sums.success_rate), 2),
    Column("COST", lambda sums: dollars(sums.cost_usd), 0),
    Column("INPUT", lambda sums: count(sums.input_tokens), 1),
    Column("CACHED", lambda sums: count(_cached_tokens(sums)), 3),
    Column("OUTPUT", lambda sums: count(sums.output_tokens), 1),
    Column("TURNS", lambda sums: count(sums.num_turns), 5),
    Column("TIME", lambda sums: compact_duration(sums.run_time_ms), 1),
)


def _cached_tokens(sums: Sums) -> int | None:
    written, read = sums.cache_creation_input_tokens, sums.cache_read_input_tokens
    return None if written is None and read is None else (written or 0) + (read or 0)


def key(sums: Sums) -> str:
    return "(none)" if sums.key is None else output.one_line(sums.key)


def print_plain(by: GroupBy, found: Sequence[Sums]) -> None:
    """Print all columns, with numbers aligned to the right."""
    lines = [
        (by.upper(), *(column.heading for column in COLUMNS)),
        *((key(sums), *(column.cell(sums) for column in COLUMNS)) for sums in found),
        (TOTAL, *(column.cell(statistics.total(found)) for column in COLUMNS)),
    ]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for first, *rest in lines:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        output.print_data("  ".join([first.ljust(widths[0]), *cells]).rstrip())
