"""Parser of an incomplete command line; `table.json`, which scripts/generate.py writes, describes the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple


class Kind(StrEnum):
    """Kinds of values that can be completed, apart from fixed choices and sessions."""

    REQUEST = "request"
    NAME = "name"
    GROUP = "group"
    PROFILE = "profile"
    TOOL = "tool"
    REF = "branch or tag"
    FILE = "file"
    HOST = "host"
    DIRECTORY = "directory"
    TEXT = "text"


Takes = str | list[str]
"""The values of an option or argument: the name of a kind, or a list of choices."""


class Option(NamedTuple):
    names: list[str]
    help: str
    takes: Takes | None
    is_repeatable: bool


class Argument(NamedTuple):
    takes: Takes | dict[str, Takes]
    """A dictionary if it depends on the previous argument, whose values are the keys."""
    is_repeatable: bool


class Command(NamedTuple):
    summary: str
    options: list[Option]
    arguments: list[Argument]
    commands: dict[str, Command]
    """The subcommands, by name."""

    def option(self, name: str) -> Option | None:
        """Return the option with this name, or None."""
        return next((option for option in self.options if name in option.names), None)


def load_commands() -> Command:
    """Load the description of `hldctl` and all its commands."""
    return _command(json.loads((Path(__file__).parent / "table.json").read_bytes()))


def _command(row: list[Any]) -> Command:
    summary, options, arguments, commands = row
    return Command(
        summary,
        [Option._make(option) for option in options],
        [Argument._make(argument) for argument in arguments],
        {name: _command(subcommand) for name, subcommand in commands.items()},
    )


class CompletionContext(NamedTuple):
    """The value of an option or argument at the cursor."""

    takes: Takes
    prefix: str
    """The typed part of the value."""
    option_prefix: str = ""
    """The part of the word before the value, as in `--status=`."""
    previous_words: tuple[str, ...] = ()


class NamesContext(NamedTuple):
    """The name of a command or option at the cursor."""

    names: dict[str, str]
    """The summary of each possible name."""
    prefix: str


class _ParsedWords(NamedTuple):
    """The options and arguments before the cursor."""

    used: list[Option]
    arguments: list[str]
    argument_positions: list[int]
    # The option whose value comes next.
    open_option: Option | None
    has_dashes: bool


def parse(command: Command, words: Sequence[str]) -> CompletionContext | NamesContext | None:
    """Return what is at the cursor; None if it is unknown.

    `words` are those after the command. The last one is being typed, and may be empty.
    """
    *previous, typed = words
    parsed = _parse_words(command, previous)
    if command.commands and parsed.arguments:
        name = parsed.arguments[0]
        subcommand = command.commands.get(name)
        return None if subcommand is None else parse(subcommand, words[parsed.argument_positions[0] + 1 :])
    return _context(command, parsed, tuple(previous), typed)


def _context(
    command: Command, parsed: _ParsedWords, previous_words: tuple[str, ...], typed: str
) -> CompletionContext | NamesContext | None:
    if parsed.open_option is not None and parsed.open_option.takes is not None:
        return CompletionContext(parsed.open_option.takes, typed, previous_words=previous_words)
    if typed.startswith("-") and not parsed.has_dashes:
        name, equals, value = typed.partition("=")
        option = command.option(name)
        if equals and option is not None and option.takes is not None:
            return CompletionContext(option.takes, value, name + equals, previous_words)
        return _option_names(command, parsed.used, typed)
    if command.commands:
        return NamesContext({name: subcommand.summary for name, subcommand in command.commands.items()}, typed)
    takes = _argument_takes(command, parsed.arguments)
    if takes is not None and takes != Kind.TEXT:
        return CompletionContext(takes, typed, previous_words=previous_words)
    # The argument itself has no candidates, but an option is possible here.
    return None if typed or parsed.has_dashes else _option_names(command, parsed.used, typed)


def _parse_words(command: Command, previous: Sequence[str]) -> _ParsedWords:
    used: list[Option] = []
    arguments: list[str] = []
    positions: list[int] = []
    open_option, has_dashes = None, False
    for position, word in enumerate(previous):
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
            positions.append(position)
    return _ParsedWords(used, arguments, positions, open_option, has_dashes)


def _argument_takes(command: Command, previous: Sequence[str]) -> Takes | None:
    """Return the values that the argument after the previous ones takes; None after the last argument."""
    repeatable = [argument for argument in command.arguments[-1:] if argument.is_repeatable]
    remaining = command.arguments[len(previous) :] or repeatable
    if not remaining:
        return None
    takes = remaining[0].takes
    return takes.get(previous[-1]) if isinstance(takes, dict) else takes


def _option_names(command: Command, used: Sequence[Option], typed: str) -> NamesContext:
    available = [option for option in command.options if option.is_repeatable or option not in used]
    # Short names are not offered: they are not self-explanatory.
    return NamesContext({name: option.help for option in available for name in option.names if name[:2] == "--"}, typed)
