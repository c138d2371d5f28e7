"""Output functions: data to standard output, notes to standard error, control characters escaped."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from hldctl.cli import standard_streams
from hldctl.errors import ExitCode, HldctlError

SIGPIPE_EXIT_CODE = 141
"""The exit code of a command whose reader has left, as shells report a death by SIGPIPE."""

# C0 and C1 except tab and newline, marks that change the direction of text, zero-width characters, and tags. Two kinds
# stay: the tags in the flags of England, Scotland and Wales, and the joiners of emoji and letters.
_FLAG = "\U0001f3f4"
_UNPRINTABLE = re.compile(
    f"{_FLAG}[\U000e0061-\U000e007a]{{5}}\U000e007f|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
# Characters that `str.isprintable` accepts although they are invisible: fillers and variation selectors.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)


def escape_control_chars(text: str) -> str:
    """Return the text with control characters escaped: text from a model or tool must not control the terminal."""
    return _UNPRINTABLE.sub(_escape_match, text.replace("\r\n", "\n"))


def escape_invisible(text: str) -> str:
    """Return the text of a permission request, with all invisible characters except blanks escaped.

    Tabs and newlines stay. Joiners within an emoji are escaped too: here it matters more that nothing is hidden.
    """
    if text.isascii():
        return _UNPRINTABLE.sub(_escape_match, text)
    return "".join(character if _is_visible(character) else _escape(character) for character in text)


def escape_invisible_line(text: str) -> str:
    """Return `quoted(text)` on one line, with newlines and tabs as `\\n` and `\\t`."""
    return escape_invisible(text).replace("\n", "\\n").replace("\t", "\\t")


def truncate_to_width(line: str, width: int) -> str:
    """Truncate the line to `width` columns; `…` marks a truncated line."""
    if line.isascii():
        return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"
    # Imported here, since completion does not need it.
    from rich.cells import cell_len, set_cell_size

    return line if cell_len(line) <= width else f"{set_cell_size(line, max(0, width - 1)).rstrip()}…"


def _is_visible(character: str) -> bool:
    return character in "\n\t" or (character.isprintable() and character not in _INVISIBLE)


def escape_at_terminal(result: str) -> str:
    """Return the result for standard output: escaped at a terminal; in a pipe unchanged, as `claude -p` prints it."""
    return escape_control_chars(result) if sys.stdout.isatty() else result


def _escape_match(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith(_FLAG) else _escape(match[0])


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """Return the text on one line, with runs of white space collapsed and control characters escaped."""
    return escape_control_chars(" ".join(text.split()))


def truncate(text: str, width: int) -> str:
    """Return the text on one line of at most `width` characters; `…` marks a truncated one."""
    line = one_line(text)
    return line if len(line) <= width else f"{line[: width - 1]}…"


def style(text: str, **attributes: Any) -> str:
    """Return the text bold or in colour; unchanged if NO_COLOR is set (https://no-color.org) or in a pipe."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    import typer

    return typer.style(text, **attributes)


def print_data(text: str) -> None:
    print(text)


def print_json(value: Any, *, compact: bool = False) -> None:
    """Print a JSON value. `compact`: print it on one line and flush, for streams."""
    import json

    # allow_nan: fail rather than print invalid JSON.
    print(json.dumps(value, indent=None if compact else 2, allow_nan=False), flush=compact)


def print_json_array(objects: Iterable[dict[str, Any]]) -> None:
    """Print an array as `json_value` does, one object at a time, so that a long one needs little memory."""
    import json

    # With `indent`, json uses its Python encoder, which takes three times as long as the C encoder.
    flat = json.JSONEncoder(allow_nan=False, separators=(",\n    ", ": "))
    opening = "["
    for value in objects:
        if any(isinstance(member, list | dict) and member for member in value.values()) or not value:
            # Newlines in strings are escaped, so each newline here is between two tokens.
            text = json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n  ")
        else:
            text = f"{{\n    {flat.encode(value)[1:-1]}\n  }}"
        print(f"{opening}\n  {text}", end="")
        opening = ","
    print("[]" if opening == "[" else "\n]")


# The commands that messages name, and what to write for them if they are read on another machine than this.
_elsewhere: list[tuple[re.Pattern[str], str]] = []


def name_host(host: str, commands: Iterable[str]) -> None:
    """Let messages name the commands with the option for this host: they are read on another machine."""
    # Imported here: commands on their own machine do not need it.
    import shlex

    _elsewhere[:] = [(re.compile(rf"\bhldctl (?=(?:{'|'.join(commands)})\b)"), f"hldctl -H {shlex.quote(host)} ")]


def note(text: str) -> str:
    """Return a message for standard error, with control characters escaped."""
    for pattern, replacement in _elsewhere:
        text = replacement.join(pattern.split(text))
    return f"hldctl: {escape_control_chars(text)}"


def print_note(text: str) -> None:
    """Print a message to standard error, with control characters escaped."""
    print(note(text), file=sys.stderr)


def print_write_error(failure: OSError) -> None:
    """Print the error message for output that cannot be written."""
    print_note(f"Cannot write output: {failure.strerror}.")


def exit_code_of_failure(failure: OSError) -> int:
    """Return the exit code of a command that succeeded, but whose output could not be written; print the reason."""
    if failure.errno == errno.EPIPE:
        return SIGPIPE_EXIT_CODE
    if standard_streams.are_write_errors_tolerated():
        return ExitCode.UNWRITABLE
    print_write_error(failure)
    return ExitCode.ENVIRONMENT


def print_error(error: HldctlError) -> None:
    """Print the error on one line: text after a newline could pass for another message."""
    print_note(str(error).replace("\n", "\\n"))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose columns are as wide as their longest cell."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
