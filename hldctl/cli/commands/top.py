"""`hldctl top`."""

from __future__ import annotations

import sys

from hldctl.cli import elsewhere
from hldctl.cli.terminal.rich_console import can_draw
from hldctl.errors import BadUsage


def command(
    fleet: elsewhere.InFleetOrNot = None, machine: elsewhere.OfMachine = None, owner: elsewhere.OfOwner = None
) -> None:
    """Watch running sessions: activity, resources and cost. Keys to follow, answer and interrupt.

    q quits; the sessions continue. Sessions of other machines can be followed, not answered or interrupted.
    """
    if not can_draw() or not sys.stdin.isatty():
        raise BadUsage("top needs a terminal; use `hldctl ls` for a list, or `hldctl events -f` for a line per change.")
    # Imported here, since it loads rich and psutil, which the error above does not need.
    from hldctl.cli.views.top import TopScreen

    with elsewhere.live_view(elsewhere.whose(fleet, machine, owner)) as view:
        TopScreen(view.state, lambda session_id: elsewhere.machine_name(view, session_id)).run()
