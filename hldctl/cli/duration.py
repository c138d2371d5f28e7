"""Durations on the command line."""

from __future__ import annotations

import typer

from hldctl.errors import BadUsage
from hldctl.sessions import duration


def seconds(text: str) -> float:
    """For typer's `parser`, which names the option in what it says."""
    try:
        return duration.seconds(text)
    except BadUsage as error:
        raise typer.BadParameter(str(error)) from None
