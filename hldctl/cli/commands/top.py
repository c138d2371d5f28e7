"""`hldctl top`."""

from __future__ import annotations

import sys

from hldctl.cli.terminal.rich_console import can_draw
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory


def command() -> None:
    """Watch running sessions: activity, resources and cost. Keys to follow, answer and interrupt.

    q quits; the sessions continue.
    """
    if not can_draw() or not sys.stdin.isatty():
        raise BadUsage("top needs a terminal; use `hldctl ls` for a list, or `hldctl events -f` for a line per change.")
    # Imported here, since it loads rich and psutil, which the error above does not need.
    from hldctl.cli.views.top import TopScreen

    TopScreen(StateDirectory.from_environment()).run()
