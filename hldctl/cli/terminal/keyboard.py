"""Single key presses from a terminal, without Enter and without echo."""

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
# An unknown key, such as F5 or Alt with a letter: its characters are not keys of their own.
_OTHER_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|(?=.)[^\x1b])")

# Keeps the start of a character whose remaining bytes have not arrived yet.
_DECODER = codecs.getincrementaldecoder("utf-8")("replace")


@contextmanager
def single_keys() -> Iterator[None]:
    """Deliver each key as it is pressed; Ctrl-C still sends SIGINT."""
    former = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, former)


def discard_typed() -> None:
    """Discard pending input: it is not an answer to the next question."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    _DECODER.reset()


def read_keys(seconds: float) -> list[str]:
    """Wait up to `seconds` for keys, and return them as characters or names such as `up` and `escape`.

    Raise EOFError once the terminal is gone.
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
        match = _OTHER_SEQUENCE.match(typed)
        sequence = match[0] if match else typed[0]
        yield _SEQUENCES.get(sequence, "escape" if sequence == "\x1b" else sequence)
        typed = typed[len(sequence) :]
