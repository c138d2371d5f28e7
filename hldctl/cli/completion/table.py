"""What each command takes, from `table.json`, which scripts/generate.py writes from the commands themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

Takes = str | list[str]
"""A kind of things, by its name, or all that can be chosen."""


class Option(NamedTuple):
    names: list[str]
    help: str
    takes: Takes | None
    is_repeatable: bool


class Argument(NamedTuple):
    takes: Takes | dict[str, Takes]
    """Of one that depends on the argument before: by what that is."""
    is_repeatable: bool


class Command(NamedTuple):
    summary: str
    options: list[Option]
    arguments: list[Argument]
    commands: dict[str, Command]
    """Those below it, by name."""

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if name in option.names), None)


def load() -> Command:
    """`hldctl` itself."""
    return _command(json.loads((Path(__file__).parent / "table.json").read_bytes()))


def _command(row: list[Any]) -> Command:
    summary, options, arguments, commands = row
    return Command(
        summary,
        [Option._make(each) for each in options],
        [Argument._make(each) for each in arguments],
        {name: _command(below) for name, below in commands.items()},
    )
