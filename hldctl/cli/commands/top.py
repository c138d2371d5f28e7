"""`hldctl top`."""

from __future__ import annotations

import sys

from hldctl.cli.terminal.rich_console import is_drawn
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory


def command() -> None:
    """Watch what runs: what each session does, uses and costs. Keys follow, answer and interrupt.

    q leaves; that touches no session.
    """
    if not is_drawn() or not sys.stdin.isatty():
        raise BadUsage("top draws on a terminal; `hldctl ls` prints once, `hldctl events -f` tells of each change.")
    # rich and psutil, which no other command needs for as little as this refusal.
    from hldctl.cli.views.top import TopScreen

    TopScreen(StateDirectory.from_environment()).run()
