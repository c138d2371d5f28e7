"""The command line that a job runs: the one that was typed, without what is done here, and with absolute paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hldctl.cli.command_line import CommandLine, Token
from hldctl.cli.completion.parser import Kind
from hldctl.errors import BadUsage

# Of which the job has its own, or that are about this machine.
_LOCAL = (
    *("--on", "--engine-option", "--as", "--query-file", "--wait", "--follow", "--json", "--quiet"),
    *("--working-dir", "--worktree", "--name", "--if-running"),
)
# Their file is read here.
_READ = ("--rehearse",)
_SECRETS = ("--mcp-config", "--settings", "--agents")
# They take JSON as well, which holds no secrets.
_JSON = ("--json-schema",)
_ADVICE = "batch scripts are not secret; put it into a file there, and name the file"
_REFUSED = {
    "--env": "batch scripts are not secret, and the variables of this machine do not reach a job; set it there",
    "--private": "the record is what shows where a placed session is",
    "--after": "the other session may be on another machine; use a dependency of the engine",
    "--after-any": "the other session may be on another machine; use a dependency of the engine",
}
_DESCRIPTORS = 3


class Travelling(NamedTuple):
    words: list[str]
    files: list[str]
    """What the words refer to as /dev/fd/3 and the following."""


def travelling_options(line: CommandLine, engine: str) -> Travelling:
    """Return the options of a command line that travel; raise BadUsage for one that cannot."""
    words: list[str] = []
    files: list[str] = []
    for token in line.tokens:
        option, value = token.option, token.value
        if option is None or token.is_option(*_LOCAL):
            continue
        name = option.names[-1] if value is not None else token.words[0]
        names = option.names if value is not None else [name]
        if (reason := next((_REFUSED[each] for each in names if each in _REFUSED), None)) is not None:
            raise BadUsage(f"{name} does not work with --on {engine}: {reason}.")
        if value is None:
            words += token.words
        elif token.is_option(*_READ):
            words += [name, f"/dev/fd/{_DESCRIPTORS + len(files)}"]
            files.append(_read(name, value))
        elif token.is_option(*_SECRETS) and _is_json(value):
            raise BadUsage(f"JSON in {name} does not work with --on {engine}: {_ADVICE}.")
        elif option.takes in (Kind.FILE, Kind.DIRECTORY) and not (token.is_option(*_JSON) and _is_json(value)):
            words += [name, absolute_path(value)]
        else:
            words += _words(token, name, value)
    return Travelling(words, files)


def _is_json(value: str) -> bool:
    return value.lstrip()[:1] in ("{", "[", '"')


def absolute_path(path: str) -> str:
    """Return the path for a command with another working directory; `~` is the home directory of the user there."""
    return path if path.startswith("~") else os.path.abspath(path)


def _words(token: Token, name: str, value: str) -> Sequence[str]:
    # In one word, a value cannot be taken for an option.
    return (f"{name}={value}",) if name.startswith("--") else token.words


def _read(option: str, path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise BadUsage(f"{option} {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
