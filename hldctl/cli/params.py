"""Whole numbers as values of options.

Durations on the command line."""

from __future__ import annotations

from collections.abc import Callable

import typer

from hldctl import durations
from hldctl.errors import BadUsage


def bounded_int(least: int, most: int = 2**53) -> Callable[[str], int]:
    """A whole number within these; typer's own would show the range in signs, and one that only SQLite sets, too."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is no whole number.") from None
        if value < least:
            raise typer.BadParameter(f"{value} is too small; write {least} or more.")
        if value > most:
            raise typer.BadParameter(f"{value} is too large; write {most} or less.")
        return value

    return number


def seconds(text: str) -> float:
    """For typer's `parser`, which names the option in what it says."""
    try:
        return durations.seconds(text)
    except BadUsage as error:
        raise typer.BadParameter(str(error)) from None
