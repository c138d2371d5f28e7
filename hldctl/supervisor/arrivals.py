"""When the bytes of a journal were first seen.

Most lines carry no time of their own. Written before the database is, this makes a second fold of the same journal
give the same times as the first.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from pathlib import Path

from hldctl.host.paths import PRIVATE_FILE


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Arrivals:
    """Lines of `OFFSET MILLISECONDS`: all bytes before OFFSET that no earlier line covers came at that time."""

    def __init__(self, path: Path, folded: int) -> None:
        """`folded` is the offset that the fold has reached: what came before is of no interest."""
        self._offsets: list[int] = []
        self._times: list[int] = []
        for offset, moment in _read(path):
            if offset > folded and offset > (self._offsets[-1] if self._offsets else 0):
                self._offsets.append(offset)
                self._times.append(moment)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)

    def stamp(self, offset: int) -> int:
        """The time at which the bytes before `offset` came: the recorded one, else now, which is then recorded."""
        position = bisect_left(self._offsets, offset)
        if position < len(self._offsets):
            return self._times[position]
        moment = now()
        # A leading newline, so that a line cut short by a full disk spoils none after it.
        os.write(self._descriptor, b"\n%d %d" % (offset, moment))
        return moment

    def close(self) -> None:
        os.close(self._descriptor)


def _read(path: Path) -> list[tuple[int, int]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    pairs = [line.split(b" ") for line in lines]
    return [(int(pair[0]), int(pair[1])) for pair in pairs if len(pair) == 2 and all(part.isdigit() for part in pair)]
