"""A line reader for a journal that grows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 18
"""Bytes read at a time, and so ingested in one transaction: one line of a calm session, some hundred in a backlog. A
larger chunk would make a supervisor keep the memory of a burst, and hardly be faster."""
MAX_LINE_BYTES = 64 << 20
"""Bytes; of a longer line only the head is recorded, so that it cannot exhaust memory. The API accepts requests of up
to 32 MB, and a line has a tool's result twice."""
HEAD_BYTES = 64 << 10
"""Bytes recorded of a line that is too long."""


@dataclass(frozen=True)
class LongLine:
    """A line that is too long to be recorded completely."""

    length: int
    head: bytes

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True)
class Batch:
    """Consecutive lines, without their newlines."""

    lines: list[bytes | LongLine]
    start: int
    """The offset in the journal at which the first line begins."""
    end: int
    """The offset after the last line, and its newline if it has one."""

    def lines_with_ends(self) -> Iterator[tuple[int, bytes | LongLine]]:
        """Yield each line with the offset after it and its newline."""
        offset = self.start
        for line in self.lines:
            offset += len(line) + 1
            yield offset if offset <= self.end else self.end, line


class JournalReader:
    """A reader that returns each complete line once, from `offset` on. Only a newline byte ends a line."""

    def __init__(self, path: Path, offset: int) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self._end = offset
        self._partial: list[bytes] = []
        self._partial_length = 0
        # The head of the partial line, once that is too long.
        self._head: bytes | None = None
        self._is_at_end = False

    def next_batch(self) -> Batch | None:
        """Return the lines that end in the next chunk of the journal; None at the end of the file."""
        while chunk := self._read_chunk():
            first, newline, rest = chunk.partition(b"\n")
            self._append_partial(first)
            if newline:
                *lines, partial = rest.split(b"\n")
                return self._build_batch([self._take_line(), *lines], partial)
        return None

    def _read_chunk(self) -> bytes:
        """Return the next chunk; empty at the end of the journal."""
        # A short read was the end: so a calm session takes one read per line, and not two.
        if self._is_at_end:
            self._is_at_end = False
            return b""
        chunk = os.read(self._descriptor, CHUNK_BYTES)
        self._is_at_end = 0 < len(chunk) < CHUNK_BYTES
        if not chunk:
            self._handle_truncation()
        return chunk

    def last_batch(self) -> Batch | None:
        """Return what follows the last newline, or None. Call after the process has exited."""
        if not self._partial_length:
            return None
        start = self._end
        self._end += self._partial_length
        return Batch([self._take_line()], start, self._end)

    def close(self) -> None:
        os.close(self._descriptor)

    def _handle_truncation(self) -> None:
        """Continue at the new end of a journal that was truncated, to read what is appended from now on."""
        size = os.fstat(self._descriptor).st_size
        if size < self._end + self._partial_length:
            self._end = os.lseek(self._descriptor, size, os.SEEK_SET)
            self._clear_partial()

    def _build_batch(self, lines: list[bytes | LongLine], partial: bytes) -> Batch:
        start = self._end
        self._end += sum(map(len, lines)) + len(lines)
        self._append_partial(partial)
        return Batch(lines, start, self._end)

    def _append_partial(self, part: bytes) -> None:
        self._partial_length += len(part)
        if self._head is not None:
            return
        if part:
            self._partial.append(part)
        if self._partial_length > MAX_LINE_BYTES:
            length = min(HEAD_BYTES, MAX_LINE_BYTES)
            self._head = b"".join(part[:length] for part in self._partial[:length])[:length]
            self._partial.clear()

    def _take_line(self) -> bytes | LongLine:
        if self._head is None:
            line: bytes | LongLine = b"".join(self._partial)
        else:
            line = LongLine(self._partial_length, self._head)
        self._clear_partial()
        return line

    def _clear_partial(self) -> None:
        self._partial.clear()
        self._partial_length = 0
        self._head = None
