"""Reading the journal line by line while it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 18
"""Bytes read at a time, and so folded in one transaction: one line when calm, some hundred when behind. With more a
supervisor would keep the memory that a burst took, and be hardly quicker."""
LONGEST_LINE = 64 << 20
"""Bytes; of longer lines only the head is recorded, so that no line can take all memory. The API takes requests of
32 MB at most, and a line has a tool's result twice."""
HEAD = 64 << 10
"""Bytes."""


@dataclass(frozen=True)
class LongLine:
    """A line that is too long to be recorded whole."""

    length: int
    head: bytes

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True)
class Batch:
    """Some lines, without their newlines."""

    lines: list[bytes | LongLine]
    start: int
    """The byte of the journal where the first begins."""
    end: int
    """The byte behind the last and its newline, if it has one."""

    def ends(self) -> Iterator[tuple[int, bytes | LongLine]]:
        """Each line with the byte behind it and its newline."""
        reached = self.start
        for line in self.lines:
            reached += len(line) + 1
            yield reached if reached <= self.end else self.end, line


class JournalReader:
    """Gives each complete line once, from `offset` on; lines end with a newline byte and nothing else."""

    def __init__(self, path: Path, offset: int) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self._end = offset
        self._begun: list[bytes] = []
        self._begun_length = 0
        self._head: bytes | None = None
        """Of the line that has been begun, once that is too long."""
        self._is_at_the_end = False

    def next_batch(self) -> Batch | None:
        """The lines that end in the next part of the journal; None once there is no more at present."""
        while chunk := self._read():
            first, newline, rest = chunk.partition(b"\n")
            self._begin(first)
            if newline:
                *lines, unended = rest.split(b"\n")
                return self._batch([self._finished(), *lines], unended)
        return None

    def _read(self) -> bytes:
        """The next part; nothing at the end, once."""
        # Less than was asked for was all that there was: a calm session has it read once for each line, not twice.
        if self._is_at_the_end:
            self._is_at_the_end = False
            return b""
        chunk = os.read(self._descriptor, CHUNK)
        self._is_at_the_end = 0 < len(chunk) < CHUNK
        if not chunk:
            self._notice_a_cut()
        return chunk

    def last_batch(self) -> Batch | None:
        """What stands behind the last newline, once nobody can write any more."""
        if not self._begun_length:
            return None
        start = self._end
        self._end += self._begun_length
        return Batch([self._finished()], start, self._end)

    def close(self) -> None:
        os.close(self._descriptor)

    def _notice_a_cut(self) -> None:
        """Goes on from the new end of a journal that somebody has cut short: what is appended from now on is read."""
        size = os.fstat(self._descriptor).st_size
        if size < self._end + self._begun_length:
            self._end = os.lseek(self._descriptor, size, os.SEEK_SET)
            self._forget_begun()

    def _batch(self, lines: list[bytes | LongLine], unended: bytes) -> Batch:
        start = self._end
        self._end += sum(map(len, lines)) + len(lines)
        self._begin(unended)
        return Batch(lines, start, self._end)

    def _begin(self, part: bytes) -> None:
        self._begun_length += len(part)
        if self._head is not None:
            return
        if part:
            self._begun.append(part)
        if self._begun_length > LONGEST_LINE:
            length = min(HEAD, LONGEST_LINE)
            self._head = b"".join(part[:length] for part in self._begun[:length])[:length]
            self._begun.clear()

    def _finished(self) -> bytes | LongLine:
        if self._head is None:
            line: bytes | LongLine = b"".join(self._begun)
        else:
            line = LongLine(self._begun_length, self._head)
        self._forget_begun()
        return line

    def _forget_begun(self) -> None:
        self._begun.clear()
        self._begun_length = 0
        self._head = None
