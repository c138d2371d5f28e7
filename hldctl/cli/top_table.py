"""The running sessions, what they do and what they use, as a table on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from hldctl.cli import quantities, session_table
from hldctl.cli.age import clock
from hldctl.cli.doing import STYLES, clocked
from hldctl.cli.output import one_line
from hldctl.sessions.activity import Activity
from hldctl.sessions.resources import Use
from hldctl.store.models import Session

_WIDE = 110
"""Columns of a terminal on which all columns of the table have room."""


def table(
    sessions: Sequence[Session],
    doing: Mapping[str, Activity],
    uses: Mapping[str, Use],
    *,
    selected: str | None,
    width: int,
    now: float,
) -> Table:
    is_wide = width >= _WIDE
    drawn = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim", pad_edge=False)
    for name in ("ID", "STATUS"):
        drawn.add_column(name, no_wrap=True)
    drawn.add_column("TITLE", no_wrap=True, overflow="ellipsis", ratio=1)
    drawn.add_column("ACTIVITY", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("CPU", "MEM", *(("TURNS", "CTX", "TOKENS") if is_wide else ()), "COST", "TIME"):
        drawn.add_column(name, no_wrap=True, justify="right")
    for session in sessions:
        drawn.add_row(
            *_cells(session, doing.get(session.id), uses.get(session.id, Use()), now, is_wide=is_wide),
            style="reverse" if session.id == selected else "",
        )
    return drawn


def _cells(session: Session, activity: Activity | None, use: Use, now: float, *, is_wide: bool) -> list[Text]:
    title = one_line(session.title or session.summary)
    named = Text.assemble((f"{session.name}: ", "bold"), title) if session.name else Text(title)
    cells = [Text(session.id[:8]), session_table.status(session.status), named, _activity(activity, now)]
    cells.append(Text(f"{use.cpu_percent:.0f}%" if use.processes else ""))
    cells.append(Text(quantities.count(use.memory) if use.processes else ""))
    if is_wide:
        tokens = None if session.input_tokens is None else session.input_tokens + (session.output_tokens or 0)
        cells += [Text("" if session.num_turns is None else str(session.num_turns)), _context(session)]
        cells.append(Text(quantities.count(tokens)))
    began = session.started_at or session.created_at
    return [*cells, Text(quantities.dollars(session.cost_usd)), Text(clock(now - began / 1000))]


def _activity(activity: Activity | None, now: float) -> Text:
    if activity is None:
        return Text()
    words, elapsed = clocked(activity, now)
    return Text(f"{elapsed} {words}".strip(), STYLES.get(activity.doing, ""))


def _context(session: Session) -> Text:
    percent = session_table.context_percent(session)
    return Text() if percent is None else Text(f"{percent}%", session_table.context_style(percent))
