"""The message that Claude is writing now, read from the end of the session's journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hldctl.claude.partial_messages import Piece, parse_piece

# Bytes to read back, so that a text is seen from its beginning.
_LOOK_BACK_BYTES = 1 << 18


class PartialOutput:
    """A reader that returns each piece once, starting shortly before the current end of the journal."""

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self._file: BinaryIO | None = None
        self._incomplete_line = b""

    def read_pieces(self) -> Iterator[Piece]:
        """Yield the pieces that were added since the last call."""
        if self._file is None and (file := self._open()) is not None:
            self._file = file
        while self._file is not None and (block := self._file.read(_LOOK_BACK_BYTES)):
            *lines, self._incomplete_line = (self._incomplete_line + block).split(b"\n")
            for line in lines:
                if (new_piece := parse_piece(line)) is not None:
                    yield new_piece

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO | None:
        """Return the journal; None while the session is queued and has no journal."""
        try:
            file: BinaryIO = self._path.open("rb")
        except OSError:
            return None
        if file.seek(0, 2) > _LOOK_BACK_BYTES:
            file.seek(-_LOOK_BACK_BYTES, 2)
            # Skip the rest of a line whose beginning was not read.
            file.readline()
        else:
            file.seek(0)
        return file
