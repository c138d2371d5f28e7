"""Single keys from a terminal, without Enter and without an echo."""

from __future__ import annotations

import codecs
import os
import re
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_SEQUENCES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1bOH": "home",
    "\x1bOF": "end",
    "\r": "\n",
}
_OTHER_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|(?=.)[^\x1b])")
"""Of a key that means nothing here, such as F5 or Alt with a letter: none of its characters is a key of its own."""

_DECODER = codecs.getincrementaldecoder("utf-8")("replace")
"""It keeps the beginning of a character whose end has not come yet."""


@contextmanager
def single_keys() -> Iterator[None]:
    """Ctrl-C stays what it is."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def discard_typed() -> None:
    """Forget what was typed up to now: it was no answer to what is asked next."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    _DECODER.reset()


def pressed(seconds: float) -> list[str]:
    """The keys pressed by then, as soon as there are any: a character each, or `up`, `down`, `escape` and others.

    Raises EOFError once the terminal is gone.
    """
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    if not readable:
        return []
    typed = os.read(sys.stdin.fileno(), 1024)
    if not typed:
        raise EOFError("the terminal is gone")
    return list(_keys(_DECODER.decode(typed)))


def _keys(typed: str) -> Iterator[str]:
    while typed:
        found = _OTHER_SEQUENCE.match(typed)
        sequence = found[0] if found else typed[0]
        yield _SEQUENCES.get(sequence, "escape" if sequence == "\x1b" else sequence)
        typed = typed[len(sequence) :]
