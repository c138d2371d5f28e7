"""Output of programs, which is written for a terminal, as plain text."""

from __future__ import annotations

import re

# Control sequences (ECMA-48): colours and cursor movements, titles and links, and escapes of two characters.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]?[0-Z\\^-~])")


def plain_output(text: str) -> str:
    """Return the text without control sequences, and with each line as its last carriage return has left it."""
    if "\x1b" in text:
        text = _SEQUENCES.sub("", text)
    if "\r" in text:
        text = "\n".join(map(_overwritten, text.split("\n")))
    return text


def _overwritten(line: str) -> str:
    """Return the line as it looks after carriage returns: later text covers earlier text, which may be longer."""
    if "\r" not in line:
        return line
    visible = ""
    for part in reversed(line.split("\r")):
        if len(part) > len(visible):
            visible += part[len(visible) :]
    return visible
