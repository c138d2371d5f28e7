"""The rich console for standard output, and the styles of statuses. rich is imported only when needed."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from hldctl.states import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {
    Status.QUEUED: "dim",
    Status.STARTING: "cyan",
    Status.RUNNING: "bold blue",
    Status.WAITING_INPUT: "bold yellow",
    Status.IDLE: "cyan",
    Status.INTERRUPTING: "yellow",
    Status.COMPLETED: "green",
    Status.FAILED: "bold red",
    Status.INTERRUPTED: "magenta",
}
"""Status styles, in basic colours: every terminal theme makes them readable, light or dark."""


def can_draw(stream: TextIO | None = None) -> bool:
    """Return whether a stream, by default standard output, is a terminal with cursor control."""
    stream = stream or sys.stdout
    # It is None if the parent process has closed it.
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


class Colour(StrEnum):
    """When to use colours."""

    AUTO = "auto"
    """At a terminal, unless NO_COLOR is set."""
    ALWAYS = "always"
    NEVER = "never"


def console(colour: Colour = Colour.AUTO) -> Console:
    """Return a console for standard output; rich itself respects NO_COLOR and the terminal's width."""
    from rich.console import Console

    return Console(
        # Text from a model or a user is not interpreted as markup or emoji names, nor highlighted.
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        force_terminal=True if colour is Colour.ALWAYS else None,
        no_color={Colour.ALWAYS: False, Colour.NEVER: True}.get(colour),
        color_system="auto" if colour is not Colour.ALWAYS else "standard",
    )


def render_line(console: Console, line: Text) -> str:
    """Return the line with its colours as escape sequences, neither wrapped nor truncated."""
    with console.capture() as captured:
        console.print(line, end="", no_wrap=True, overflow="ignore", crop=False)
    return captured.get()
