"""The command line of a command that may run on another machine, taken apart by the completion table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hldctl.cli import host_option
from hldctl.cli.completion.parser import Command, Option, load_commands
from hldctl.errors import BadUsage

_LOCAL_OPTIONS = frozenset({"--help", "--install-completion", "--show-completion"})


class Token(NamedTuple):
    """An option with its value, or an argument."""

    words: tuple[str, ...]
    option: Option | None = None
    value: str | None = None

    def is_option(self, *names: str) -> bool:
        return self.option is not None and not set(names).isdisjoint(self.option.names)


class CommandLine(NamedTuple):
    host: str | None
    """None if the command runs here."""
    path: tuple[str, ...]
    """The names of the command and the subcommand; empty without a command."""
    tokens: tuple[Token, ...]
    """All words except the host, and except those after `--`."""
    rest: tuple[str, ...]
    """`--` and the words after it; empty without them."""

    @property
    def words(self) -> list[str]:
        return [word for token in self.tokens for word in token.words] + [*self.rest]

    @property
    def arguments(self) -> list[str]:
        """The arguments after the names of the command and the subcommand."""
        return [token.words[0] for token in self.tokens if token.option is None][len(self.path) :]

    def has(self, *names: str) -> bool:
        """Return whether an option is given."""
        return any(token.is_option(*names) for token in self.tokens)

    def value(self, name: str) -> str | None:
        """Return the last value of an option."""
        return next((token.value for token in reversed(self.tokens) if token.is_option(name)), None)


def parse(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> CommandLine:
    """Take the command line apart. Raise BadUsage for a host that cannot be one."""
    host: str | None = None
    path: list[str] = []
    tokens: list[Token] = []
    command = load_commands()
    remaining = list(words)
    while remaining and remaining[0] != "--":
        for token in _next_tokens(command, remaining):
            if token.is_option(host_option.NAME):
                host = token.value
            else:
                is_name = token.option is None and command.commands and len(path) == _count_arguments(tokens)
                tokens.append(token)
                if is_name and (name := token.words[0]) in command.commands:
                    command = command.commands[name]
                    path.append(name)
    line = CommandLine(host, tuple(path), tuple(tokens), tuple(remaining))
    if host is None and not line.has("--version"):
        line = line._replace(host=environment.get(host_option.VARIABLE))
    if line.host:
        require_host_name(line.host)
    runs_here = not line.host or not line.tokens or line.has(*_LOCAL_OPTIONS)
    return line._replace(host=None) if runs_here else line


def _count_arguments(tokens: Sequence[Token]) -> int:
    return sum(token.option is None for token in tokens)


def require_host_name(name: str) -> None:
    """Raise BadUsage for a name that ssh would take for an option, or that holds blanks or control characters."""
    if name.startswith("-") or not name.isprintable() or " " in name:
        raise BadUsage(f"--host {name!r} cannot be the name of a machine; give a name that ssh knows, such as build.")


def _next_tokens(command: Command, remaining: list[str]) -> Iterator[Token]:
    """Remove the next option or argument, and yield it; short options that were written together, one by one."""
    word = remaining.pop(0)
    if word == "-" or not word.startswith("-"):
        yield Token((word,))
    elif word.startswith("--"):
        yield _long_option(command, word, remaining)
    else:
        yield from _short_options(command, word, remaining)


def _long_option(command: Command, word: str, remaining: list[str]) -> Token:
    name, equals, value = word.partition("=")
    option = command.option(name) or Option([name], "", None, False)
    if equals:
        return Token((word,), option, value)
    if option.takes is None or not remaining:
        return Token((word,), option)
    value = remaining.pop(0)
    return Token((word, value), option, value)


def _short_options(command: Command, word: str, remaining: list[str]) -> Iterator[Token]:
    for position, letter in enumerate(word[1:], 1):
        option = command.option(f"-{letter}") or Option([f"-{letter}"], "", None, False)
        if letter.isdecimal():
            # `tail -5`.
            yield Token((f"-{word[position:]}",), option)
            return
        if option.takes is not None:
            value = word[position + 1 :] or (remaining.pop(0) if remaining else None)
            yield Token((f"-{letter}",) if value is None else (f"-{letter}", value), option, value)
            return
        yield Token((f"-{letter}",), option)
