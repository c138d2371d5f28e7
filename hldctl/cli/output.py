"""How commands print: data to standard output, all else to standard error, nothing raw to a terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

# All of C0 and C1 but tab and newline, and the marks that turn the direction of text around.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Text from a model or a tool as it may go to a terminal: control characters are shown, not obeyed."""
    return _UNPRINTABLE.sub(_visible, text.replace("\r\n", "\n"))


def for_reader(result: str) -> str:
    """A result as it goes to standard output: in a pipe it is what `claude -p` would print, to the letter."""
    return harmless(result) if sys.stdout.isatty() else result


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def one_line(text: str) -> str:
    return harmless(" ".join(text.split()))


def shortened(text: str, width: int) -> str:
    line = one_line(text)
    return line if len(line) <= width else f"{line[: width - 1]}…"


def styled(text: str, **style: Any) -> str:
    """Bold or in colour on a terminal, unless NO_COLOR is set: https://no-color.org."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    import typer

    return typer.style(text, **style)


def data(text: str) -> None:
    print(text)


def json_value(value: Any, *, compact: bool = False) -> None:
    """One JSON value; `compact` on one line, for streams, and at once."""
    import json

    # allow_nan: rather fail than print what is no JSON.
    print(json.dumps(value, indent=None if compact else 2, allow_nan=False), flush=compact)


def json_array(objects: Iterable[dict[str, Any]]) -> None:
    """Print an array as `json_value` does, object by object, so that a long one needs little memory."""
    import json

    # With `indent` Python's encoder is at work, which takes three times as long as the one in C.
    flat = json.JSONEncoder(allow_nan=False, separators=(",\n    ", ": "))
    opening = "["
    for value in objects:
        if any(isinstance(member, list | dict) and member for member in value.values()) or not value:
            # A line break within a string is escaped: each one here is between two tokens.
            text = json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n  ")
        else:
            text = f"{{\n    {flat.encode(value)[1:-1]}\n  }}"
        print(f"{opening}\n  {text}", end="")
        opening = ","
    print("[]" if opening == "[" else "\n]")


def note(text: str) -> None:
    """A line on standard error; control characters in it are escaped."""
    print(f"hldctl: {harmless(text)}", file=sys.stderr)


def note_unwritable(failure: OSError) -> None:
    note(f"The output cannot be written: {failure.strerror}.")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their longest cell."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
