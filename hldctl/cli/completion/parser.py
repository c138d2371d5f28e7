"""What can stand in a place of the command line, beside fixed choices and the kinds of sessions.

What each command takes, from `table.json`, which scripts/generate.py writes from the commands themselves.

What the cursor stands on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple


class Kind(StrEnum):
    REQUEST = "request"
    NAME = "name"
    GROUP = "group"
    TOOL = "tool"
    FILE = "file"
    DIRECTORY = "directory"
    TEXT = "text"


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


class CompletionContext(NamedTuple):
    """Candidates of one kind. `kept` is what of the word stands before them: `--status=`."""

    takes: Takes
    beginning: str
    kept: str = ""
    said: tuple[str, ...] = ()
    """The words before."""


class WantedNames(NamedTuple):
    """Names of commands or of options, each with what it does."""

    names: dict[str, str]
    beginning: str


class _Read(NamedTuple):
    """What the words before the cursor say."""

    used: list[Option]
    arguments: list[str]
    open_option: Option | None
    """Whose value comes next."""
    has_dashes: bool


def parse(command: Command, words: Sequence[str]) -> CompletionContext | WantedNames | None:
    """From the words behind the command; the last is the one being typed, and may be empty. None: nothing is known."""
    *before, typed = words
    read = _read(command, before)
    if command.commands and read.arguments:
        name = read.arguments[0]
        below = command.commands.get(name)
        return None if below is None else parse(below, words[before.index(name) + 1 :])
    return _within(command, read, tuple(before), typed)


def _within(command: Command, read: _Read, said: tuple[str, ...], typed: str) -> CompletionContext | WantedNames | None:
    if read.open_option is not None and read.open_option.takes is not None:
        return CompletionContext(read.open_option.takes, typed, said=said)
    if typed.startswith("-") and not read.has_dashes:
        name, equals, value = typed.partition("=")
        option = command.option(name)
        if equals and option is not None and option.takes is not None:
            return CompletionContext(option.takes, value, name + equals, said)
        return _options(command, read.used, typed)
    if command.commands:
        return WantedNames({name: below.summary for name, below in command.commands.items()}, typed)
    takes = _argument(command, read.arguments)
    if takes is not None and takes != Kind.TEXT:
        return CompletionContext(takes, typed, said=said)
    # Nothing is known of what can stand here but that an option can.
    return None if typed or read.has_dashes else _options(command, read.used, typed)


def _read(command: Command, before: Sequence[str]) -> _Read:
    used: list[Option] = []
    arguments: list[str] = []
    open_option, has_dashes = None, False
    for word in before:
        if open_option is not None:
            open_option = None
        elif word == "--":
            has_dashes = True
        elif word.startswith("-") and word != "-" and not has_dashes:
            name, equals, _ = word.partition("=")
            option = command.option(name)
            if option is not None:
                used.append(option)
                open_option = option if option.takes is not None and not equals else None
        else:
            arguments.append(word)
    return _Read(used, arguments, open_option, has_dashes)


def _argument(command: Command, before: Sequence[str]) -> Takes | None:
    """What the argument behind these is."""
    left = command.arguments[len(before) :] or [each for each in command.arguments[-1:] if each.is_repeatable]
    if not left:
        return None
    takes = left[0].takes
    return takes.get(before[-1]) if isinstance(takes, dict) else takes


def _options(command: Command, used: Sequence[Option], typed: str) -> WantedNames:
    left = [option for option in command.options if option.is_repeatable or option not in used]
    # Short names say too little to be chosen from.
    return WantedNames({name: option.help for option in left for name in option.names if name[:2] == "--"}, typed)
