"""What a session's Claude is writing at the moment, read from the end of its journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hldctl.claude.partial_messages import Piece, piece

_LOOKED_BACK = 1 << 18
"""Bytes, so that a text that has been begun is seen from its beginning."""


class Writing:
    """Gives each piece once, from shortly before the journal's present end on."""

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self._file: BinaryIO | None = None
        self._begun = b""

    def read(self) -> Iterator[Piece]:
        """What has been added since the last time."""
        if self._file is None and (file := self._opened()) is not None:
            self._file = file
        while self._file is not None and (block := self._file.read(_LOOKED_BACK)):
            *lines, self._begun = (self._begun + block).split(b"\n")
            for line in lines:
                if (found := piece(line)) is not None:
                    yield found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _opened(self) -> BinaryIO | None:
        """None while the session waits for its turn: it has no journal then."""
        try:
            file: BinaryIO = self._path.open("rb")
        except OSError:
            return None
        if file.seek(0, 2) > _LOOKED_BACK:
            file.seek(-_LOOKED_BACK, 2)
            # The rest of a line whose beginning is not read.
            file.readline()
        else:
            file.seek(0)
        return file
