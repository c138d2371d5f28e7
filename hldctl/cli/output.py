"""How commands print: data to standard output, all else to standard error, nothing raw to a terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

# All of C0 and C1 but tab and newline, the marks that turn the direction of text around, characters of no width, and
# tags. The flags of England, Scotland and Wales are made of tags, which stay, as does what joins emoji and letters.
_FLAG = "\U0001f3f4"
_UNPRINTABLE = re.compile(
    f"{_FLAG}[\U000e0061-\U000e007a]{{5}}\U000e007f|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_LOOKS_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)
"""Characters that `str.isprintable` accepts, though nothing of them is seen: fillers and variation selectors."""


def harmless(text: str) -> str:
    """Text from a model or a tool as it may go to a terminal: control characters are shown, not obeyed."""
    return _UNPRINTABLE.sub(_visible, text.replace("\r\n", "\n"))


def quoted(text: str) -> str:
    """Return what somebody is to decide about: blanks are kept, and every other invisible character is an escape.

    Tabs and newlines stay. An emoji that is joined from several shows what joins them: here it matters more that
    nothing is hidden.
    """
    if text.isascii():
        return _UNPRINTABLE.sub(_visible, text)
    return "".join(each if _is_visible(each) else _escaped(each) for each in text)


def quoted_line(text: str) -> str:
    """Return it on one line, with `\\n` and `\\t` for newlines and tabs."""
    return quoted(text).replace("\n", "\\n").replace("\t", "\\t")


def cut(line: str, width: int) -> str:
    """Return as much of the line as has room in `width` columns, and `…` if that is not all."""
    if line.isascii():
        return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"
    # Not for the completion of a word.
    from rich.cells import cell_len, set_cell_size

    return line if cell_len(line) <= width else f"{set_cell_size(line, max(0, width - 1)).rstrip()}…"


def _is_visible(character: str) -> bool:
    return character in "\n\t" or (character.isprintable() and character not in _LOOKS_BLANK)


def for_reader(result: str) -> str:
    """A result as it goes to standard output: in a pipe it is what `claude -p` would print, to the letter."""
    return harmless(result) if sys.stdout.isatty() else result


def _visible(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith(_FLAG) else _escaped(match[0])


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


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
