"""What the cursor stands on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hldctl.cli.completion.kind import Kind
from hldctl.cli.completion.table import Command, Option, Table, Takes


class Wanted(NamedTuple):
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
    arguments: int
    open_option: Option | None
    """Whose value comes next."""
    has_dashes: bool


def wanted(table: Table, words: Sequence[str]) -> Wanted | WantedNames | None:
    """From the words behind `hldctl`; the last is the one that is typed, and may be empty. None: nothing is known."""
    *before, typed = words
    name = next((word for word in before if not word.startswith("-")), None)
    if name is None:
        return _options(table.root, [], typed) if typed.startswith("-") else _commands(table, typed)
    command = table.commands.get(name)
    return None if command is None else _within(command, before[before.index(name) + 1 :], typed)


def _within(command: Command, before: Sequence[str], typed: str) -> Wanted | WantedNames | None:
    read = _read(command, before)
    said = tuple(before)
    if read.open_option is not None and read.open_option.takes is not None:
        return Wanted(read.open_option.takes, typed, said=said)
    if typed.startswith("-") and not read.has_dashes:
        name, equals, value = typed.partition("=")
        option = command.option(name)
        if equals and option is not None and option.takes is not None:
            return Wanted(option.takes, value, name + equals, said)
        return _options(command, read.used, typed)
    takes = _argument(command, read.arguments)
    if takes is not None and takes != Kind.TEXT:
        return Wanted(takes, typed, said=said)
    # Nothing is known of what can stand here but that an option can.
    return None if typed or read.has_dashes else _options(command, read.used, typed)


def _read(command: Command, before: Sequence[str]) -> _Read:
    used: list[Option] = []
    arguments, open_option, has_dashes = 0, None, False
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
            arguments += 1
    return _Read(used, arguments, open_option, has_dashes)


def _argument(command: Command, number: int) -> Takes | None:
    if number < len(command.arguments):
        return command.arguments[number].takes
    last = command.arguments[-1] if command.arguments else None
    return last.takes if last is not None and last.is_repeatable else None


def _commands(table: Table, typed: str) -> WantedNames:
    return WantedNames({name: command.summary for name, command in table.commands.items()}, typed)


def _options(command: Command, used: Sequence[Option], typed: str) -> WantedNames:
    left = [option for option in command.options if option.is_repeatable or option not in used]
    # Short names say too little to be chosen from.
    return WantedNames({name: option.help for option in left for name in option.names if name[:2] == "--"}, typed)
