"""Text from standard input: that which was piped into a command, and that which a command reads whole."""

from __future__ import annotations

import sys

from hldctl.cli import output
from hldctl.errors import BadUsage
from hldctl.system.piped_input import PATIENCE_SECONDS, read_piped_input


def piped_bytes(what: str, *, quiet: bool) -> bytes:
    """Return the standard input that is meant for this command, and print a note on what is not certain.

    `what` names the text that it is added to.
    """
    piped = read_piped_input()
    if piped.is_missing and not quiet:
        output.print_note(
            f"nothing has arrived on standard input within {PATIENCE_SECONDS:.0f} s; the {what} is used "
            'without it; add the output of a slow program with "… $(program)"'
        )
    if piped.data.strip() and not piped.is_certain and not quiet:
        output.print_note(f"{len(piped.data)} bytes of standard input were added to the {what}")
    return piped.data


def all_bytes(what: str, option: str) -> bytes:
    """Return all of standard input, which is the text itself; raise BadUsage if it is closed."""
    if sys.stdin is None:
        raise BadUsage(f"A {what} is missing, and standard input is closed; give it as an argument or with {option}.")
    return sys.stdin.buffer.read()


def require_input(what: str, option: str) -> None:
    """Raise BadUsage if standard input is a terminal: nobody would expect that it is read."""
    if sys.stdin is not None and sys.stdin.isatty():
        raise BadUsage(f"A {what} is missing; give it as an argument, with {option}, or on standard input.")
