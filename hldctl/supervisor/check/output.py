"""The output of a check, however long it is: a bounded file, and its beginning and end in memory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hldctl.private_files import PRIVATE_FILE

MAX_FILE_BYTES = 50_000_000
"""What the file has of the output, before a note and the end of the output."""
# Bytes of the beginning, and of the end, that the model gets.
_HALF_BYTES = 5_000


class OutputFile:
    """The file that a check's output is written to. A full disk only makes it shorter."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        self._length = self._written = 0
        self._head = self._tail = b""

    @property
    def is_cut(self) -> bool:
        """True if `text` does not have the whole output."""
        return self._length > len(self._head) + len(self._tail)

    def write(self, data: bytes) -> None:
        self._length += len(data)
        if room := MAX_FILE_BYTES - self._written:
            self._written += len(data[:room])
            self._write(data[:room])
        missing = _HALF_BYTES - len(self._head)
        self._head += data[:missing]
        self._tail = (self._tail + data[missing:])[-_HALF_BYTES:]

    def close(self) -> None:
        if self._length > self._written:
            left_out = self._length - self._written
            self._write(f"\n[hldctl: {left_out} bytes follow, of which this file has the last:]\n".encode())
            self._write(self._tail[-left_out:])
        os.close(self._file)

    def text(self) -> str:
        """Return the output as a text, cut in the middle to 10 kB."""
        if not self.is_cut:
            return _decode(self._head + self._tail)
        left_out = self._length - len(self._head) - len(self._tail)
        return f"{_decode(self._head)}\n[… {left_out} bytes are left out here …]\n{_decode(self._tail)}"

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._file, data) :]


def _decode(data: bytes) -> str:
    return data.decode("utf-8", errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
