"""The running sessions with their activity and resource use, as a table on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from hldctl.cli.render import format, session_table, table_layout
from hldctl.cli.render.format import clock
from hldctl.cli.render.session_table import Row
from hldctl.cli.render.table_layout import Cell, Layout
from hldctl.sessions.inspect.activity import Activity
from hldctl.sessions.inspect.process_usage import ProcessUsage
from hldctl.store.session import Session

_LAYOUT = Layout(
    removal_order=("TOKENS", "TURNS", "CTX", "WORKTREE", "TIME", "COST", "MEM", "CPU", "ACTIVITY", "MACHINE", "STATUS"),
    shown_if_empty=frozenset({"ID", "TITLE", "CPU", "MEM", "TIME"}),
    numbers=frozenset({"CPU", "MEM", "TURNS", "CTX", "TOKENS", "COST", "TIME"}),
)


def lines(
    sessions: Sequence[Session],
    doing: Mapping[str, Activity],
    uses: Mapping[str, ProcessUsage],
    *,
    selected: str | None,
    width: int,
    now: float,
    machines: Sequence[str] = (),
) -> list[Text]:
    """Return the header, and a line for each session; none is wider than the terminal.

    `machines` are the names of the sessions' machines, if there are several.
    """
    rows = [Row(session, "") for session in sessions]
    usages = [uses.get(session.id, ProcessUsage()) for session in sessions]
    # Numbers that change all the time have a fixed width.
    cells = {
        "ID": [Cell(Text(session.id[:8])) for session in sessions],
        "MACHINE": [_cell(name) for name in machines or [""] * len(sessions)],
        "STATUS": [Cell(session_table.status(session.status)) for session in sessions],
        "TITLE": [session_table.title(row) for row in rows],
        "ACTIVITY": [session_table.activity(row, doing.get(row.session.id), now) for row in rows],
        "WORKTREE": [session_table.worktree(row) for row in rows],
        "CPU": [_cell(f"{use.cpu_percent:3.0f}%" if use.process_count else "") for use in usages],
        "MEM": [_cell(f"{format.count(use.memory_bytes):>5}" if use.process_count else "") for use in usages],
        "TURNS": [session_table.number(row, row.session.num_turns, "{}") for row in rows],
        "CTX": [session_table.context(row) for row in rows],
        "TOKENS": [_cell(format.count(_tokens(session))) for session in sessions],
        "COST": [_cell(format.dollars(session.cost_usd)) for session in sessions],
        "TIME": [_cell(clock(now - (session.started_at or session.created_at) / 1000)) for session in sessions],
    }
    header, *body = table_layout.lines(cells, _LAYOUT, width)
    for session, line in zip(sessions, body, strict=True):
        if session.id == selected:
            line.append(" " * (width - line.cell_len))
            line.stylize("reverse")
    return [header, *body]


def _cell(text: str) -> Cell:
    return Cell(Text(text))


def _tokens(session: Session) -> int | None:
    return None if session.input_tokens is None else session.input_tokens + (session.output_tokens or 0)
