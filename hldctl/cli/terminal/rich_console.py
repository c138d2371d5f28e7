"""Drawing on a terminal, with rich: imported only by what draws."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from hldctl.states import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {
    Status.QUEUED: "dim",
    Status.STARTING: "cyan",
    Status.RUNNING: "bold blue",
    Status.WAITING_INPUT: "bold yellow",
    Status.INTERRUPTING: "yellow",
    Status.COMPLETED: "green",
    Status.FAILED: "bold red",
    Status.INTERRUPTED: "magenta",
}
"""How each status looks everywhere; the basic colours, which each terminal's theme makes readable, light or dark."""


def is_drawn() -> bool:
    """Whether standard output is a terminal that can be drawn on; in a pipe plain lines come in place of a drawing."""
    # Closed by whoever started us, it is None.
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def console() -> Console:
    """For standard output. NO_COLOR and the terminal's width are obeyed by rich itself."""
    from rich.console import Console

    # Nothing that a model or a user has written is taken for markup, an emoji's name or something to be highlighted.
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=False)


def rendered(console: Console, line: Text) -> str:
    """The line with its colours as the console has them, wrapped and cut nowhere."""
    with console.capture() as captured:
        console.print(line, end="", no_wrap=True, overflow="ignore", crop=False)
    return captured.get()
