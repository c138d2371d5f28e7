"""What a command reads on this machine and another one needs: files that options name, variables, standard input."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hldctl.cli import piped_text
from hldctl.cli.command_line import CommandLine, Token
from hldctl.cli.remote.request import FILE_WORD
from hldctl.errors import BadUsage

FILE_OPTIONS = ("--query-file", "--file", "--rehearse")
"""Their file is sent, and is a file there."""
JSON_OPTIONS = ("--mcp-config", "--settings", "--agents", "--json-schema")
"""They take JSON, or a file with JSON."""
OUTPUT_OPTION = "--output"
"""Its file is written here."""

# The commands that read a text from standard input, with the number of arguments before it, and what it is.
_TEXTS = {
    "launch": (0, "query", "--query-file"),
    "continue": (1, "query", "--query-file"),
    "send": (1, "message", "--file"),
}


def resolve_local_files(line: CommandLine, environment: Mapping[str, str]) -> tuple[list[str], list[bytes]]:
    """Return the words with files and variables of this machine replaced by what they hold, and the files to send.

    Raise BadUsage for a file that cannot be read.
    """
    words: list[str] = []
    files: list[bytes] = []
    for token in line.tokens:
        value = token.value
        if value is None:
            words += token.words
        elif token.is_option(*FILE_OPTIONS):
            words += [_name(token), f"{FILE_WORD}{len(files)}"]
            files.append(_read(_name(token), value))
        elif token.is_option(*JSON_OPTIONS):
            words += [_name(token), _json_text(_name(token), value)]
        elif token.is_option("--env") and value and "=" not in value:
            words += [_name(token), f"{value}={_variable(value, environment)}"]
        else:
            words += token.words
    return [*words, *line.rest], files


def read_standard_input(line: CommandLine) -> bytes | None:
    """Return the standard input that is meant for the command, as the command itself would find it."""
    if not line.path or line.path[0] not in _TEXTS:
        return None
    before, what, option = _TEXTS[line.path[0]]
    quiet = line.has("--quiet", "-q") or (what == "message" and line.has("--json"))
    text = next(iter([*line.arguments, *line.rest[1:]][before:]), None)
    if line.has(option):
        return piped_text.piped_bytes(what, quiet=quiet)
    if text is None:
        if len(line.arguments) < before:
            return None
        piped_text.require_input(what, option)
    if text is None or text == "-":
        return piped_text.all_bytes(what, option)
    return piped_text.piped_bytes(what, quiet=quiet)


def _name(token: Token) -> str:
    assert token.option is not None
    return token.option.names[-1]


def _read(option: str, path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except (OSError, RuntimeError) as error:
        raise BadUsage(f"{option} {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def _json_text(option: str, value: str) -> str:
    """Return the JSON that is given itself or as a file; JSON that begins otherwise would be taken for a path there."""
    if not value.strip() or value.lstrip()[0] in '{["':
        return value
    text = _read(option, value).decode("utf-8", "replace")
    if text.lstrip()[:1] not in ("{", "[", '"'):
        raise BadUsage(f"{option} {value} is not valid JSON: it does not begin with a brace.")
    return text


def _variable(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise BadUsage(f"--env {name}: this variable is not set; write {name}=VALUE to set it.")
    return environment[name]


def sent_variables() -> dict[str, str]:
    """Return the variables that say how output shall look, and from within which session the command is run.

    A session must not get rights by the detour over another machine, or over this one.
    """
    names = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "HLDCTL_SESSION_ID")
    return {name: os.environ[name] for name in names if name in os.environ}
