"""Single keys from a terminal, without Enter and without an echo."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_SEQUENCES = {"\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b": "escape", "\r": "\n"}


@contextmanager
def single_keys() -> Iterator[None]:
    """Ctrl-C stays what it is."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def pressed(seconds: float) -> list[str]:
    """The keys pressed by then, as soon as there are any: a character each, or `up`, `down`, `escape`."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    if not readable:
        return []
    typed = os.read(sys.stdin.fileno(), 1024).decode(errors="replace")
    if not typed:
        # Whoever had the terminal is gone.
        raise EOFError
    return list(_keys(typed))


def _keys(typed: str) -> Iterator[str]:
    while typed:
        sequence = next((sequence for sequence in _SEQUENCES if typed.startswith(sequence)), typed[0])
        yield _SEQUENCES.get(sequence, sequence)
        typed = typed[len(sequence) :]
