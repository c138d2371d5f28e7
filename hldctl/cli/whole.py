"""Whole numbers as values of options."""

from __future__ import annotations

from collections.abc import Callable

import typer


def whole(least: int, most: int = 2**53) -> Callable[[str], int]:
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
