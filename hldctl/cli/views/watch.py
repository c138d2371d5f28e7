"""`hldctl ls --watch`: the table, drawn anew where it stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.text import Text

from hldctl.cli.render import session_table
from hldctl.cli.render.session_table import Row
from hldctl.cli.terminal.full_screen import full_screen, is_in_foreground
from hldctl.cli.terminal.rich_console import console
from hldctl.cli.terminal.signals import left_by_signal
from hldctl.paths import StateDirectory
from hldctl.sessions import overview
from hldctl.sessions.overview import Overview
from hldctl.store.session_list import Listing


def watch(state: StateDirectory, listing: Listing, rows: Callable[[Overview], Sequence[Row]]) -> None:
    """Until Ctrl-C; what stood on the screen last is left behind."""
    terminal = console()
    lines: list[Text] = []
    with left_by_signal():
        try:
            with full_screen(terminal) as screen:
                for seen in overview.followed(state, listing, [screen.stirred]):
                    lines = _lines(rows(seen), seen, *terminal.size)
                    screen.draw(lines)
        finally:
            if lines and is_in_foreground():
                terminal.print(*lines, sep="\n")


def _lines(rows: Sequence[Row], seen: Overview, width: int, height: int) -> list[Text]:
    """No more than the screen has room for."""
    if not rows:
        return [Text("no sessions", "dim")]
    # The header takes one.
    room = max(1, height - 1)
    shown = rows if len(rows) <= room else rows[: max(1, room - 1)]
    lines = session_table.lines(shown, seen.doing, width=width, now=time.time())
    if len(shown) < len(rows):
        lines.append(Text(f"… {len(rows) - len(shown)} more", "dim"))
    return lines
