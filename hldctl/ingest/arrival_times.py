"""When the bytes of a journal were first seen.

Most lines carry no time of their own. Written before the database is, this makes a second fold of the same journal
give the same times as the first, in whatever pieces it reads.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from hldctl.paths import PRIVATE_FILE
from hldctl.system.clock import now

_DIGITS = 13
"""Of a time in milliseconds, from 2001 to 2286: fewer, and the mark was cut short."""
_MOST_DIGITS = 18
"""Of an offset that a journal can have."""


class Arrivals:
    """Marks of `OFFSET MILLISECONDS`: the bytes before OFFSET that no earlier mark covers came at that time."""

    def __init__(self, path: Path, folded: int) -> None:
        """`folded` is the offset that the fold has reached: what came before is of no interest."""
        self._marks: deque[tuple[int, int]] = deque()
        for offset, moment in _read(path):
            if offset > folded and offset > self._covered:
                self._marks.append((offset, moment))
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)

    @property
    def _covered(self) -> int:
        return self._marks[-1][0] if self._marks else 0

    def cover(self, offset: int) -> None:
        """Marks the bytes before `offset` as seen now, but for those that were marked already."""
        if offset > self._covered:
            moment = now()
            # A leading newline, so that a mark cut short by a full disk spoils none after it.
            os.write(self._descriptor, b"\n%d %d" % (offset, moment))
            self._marks.append((offset, moment))

    def mark_of(self, offset: int) -> tuple[int, int]:
        """The mark that says when the byte before `offset` came: it must be covered. To be asked in ascending order."""
        while self._marks[0][0] < offset:
            self._marks.popleft()
        return self._marks[0]

    def close(self) -> None:
        os.close(self._descriptor)


def _read(path: Path) -> list[tuple[int, int]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    pairs = [line.split(b" ") for line in lines]
    whole = [pair for pair in pairs if len(pair) == 2 and pair[0].isdigit() and pair[1].isdigit()]
    return [
        (int(offset), int(moment)) for offset, moment in whole if len(moment) == _DIGITS and len(offset) <= _MOST_DIGITS
    ]
