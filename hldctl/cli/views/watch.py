"""The table of `hldctl ls --watch`, redrawn in place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.text import Text

from hldctl.cli.render import session_table
from hldctl.cli.render.gate_line import gate_line
from hldctl.cli.render.session_table import Row
from hldctl.cli.terminal.full_screen import full_screen, is_in_foreground
from hldctl.cli.terminal.rich_console import console
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.paths import StateDirectory
from hldctl.sessions.inspect import overview
from hldctl.sessions.inspect.overview import Overview
from hldctl.store.session_list import Listing


def watch(state: StateDirectory, listing: Listing, rows: Callable[[Overview], Sequence[Row]]) -> None:
    """Redraw the table at each change until Ctrl-C, and leave the last one on the terminal."""
    terminal = console()
    lines: list[Text] = []
    with exit_on_signal():
        try:
            with full_screen(terminal) as screen:
                for view in overview.follow_overview(state, listing, [screen.redraw_signal]):
                    lines = _lines(rows(view), view, *terminal.size)
                    screen.draw(lines)
        finally:
            if lines and is_in_foreground():
                terminal.print(*lines, sep="\n")


def _lines(rows: Sequence[Row], view: Overview, width: int, height: int) -> list[Text]:
    """Return the table, cut to the height of the screen."""
    if not rows:
        return [Text("no sessions", "dim")]
    gates = [Text(gate_line(gate), "yellow", no_wrap=True, overflow="ellipsis") for gate in view.gates]
    # One line is the header.
    room = max(1, height - 1 - len(gates))
    visible = rows if len(rows) <= room else rows[: max(1, room - 1)]
    lines = session_table.lines(visible, view.activities, width=width, now=time.time())
    if len(visible) < len(rows):
        lines.append(Text(f"… {len(rows) - len(visible)} more", "dim"))
    for gate in gates:
        gate.truncate(width, overflow="ellipsis")
    return [*gates, *lines]
