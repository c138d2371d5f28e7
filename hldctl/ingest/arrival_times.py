"""The times at which the bytes of a journal were first seen.

Most lines have no timestamp of their own. These times are written before the database is, so that a replay of the
journal gives the same times as the first run, in whatever chunks it reads.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from hldctl.private_files import PRIVATE_FILE
from hldctl.system.clock import current_time_ms

# Digits of a time in milliseconds, from 2001 to 2286; with fewer, the mark is truncated.
_TIME_DIGITS = 13
_MAX_OFFSET_DIGITS = 18


class ArrivalTimes:
    """A file of marks `OFFSET MILLISECONDS`: the bytes before OFFSET after the previous mark arrived at that time."""

    def __init__(self, path: Path, folded: int) -> None:
        """Load the marks after `folded`, the offset up to which the journal has been ingested."""
        self._marks: deque[tuple[int, int]] = deque()
        for offset, time_ms in _read(path):
            if offset > folded and offset > self._covered_offset:
                self._marks.append((offset, time_ms))
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)

    @property
    def _covered_offset(self) -> int:
        return self._marks[-1][0] if self._marks else 0

    def cover(self, offset: int) -> None:
        """Mark the bytes before `offset` as seen now, except those that are already marked."""
        if offset > self._covered_offset:
            time_ms = current_time_ms()
            # A leading newline, so that a mark truncated by a full disk does not damage the next one.
            os.write(self._descriptor, b"\n%d %d" % (offset, time_ms))
            self._marks.append((offset, time_ms))

    def find_mark(self, offset: int) -> tuple[int, int]:
        """Return the mark of the byte before `offset`, which must be covered. Call with ascending offsets."""
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
    complete = [pair for pair in pairs if len(pair) == 2 and pair[0].isdigit() and pair[1].isdigit()]
    return [
        (int(offset), int(time_ms))
        for offset, time_ms in complete
        if len(time_ms) == _TIME_DIGITS and len(offset) <= _MAX_OFFSET_DIGITS
    ]
