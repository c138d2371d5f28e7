"""Repair of the header of the database file, on which the rest of the file depends."""

from __future__ import annotations

import os
from pathlib import Path

# The header fields that have the same value in all databases of hldctl. Sizes that cannot be known are zero: SQLite
# then uses the size of the file. See https://www.sqlite.org/fileformat2.html#the_database_header.
_PAGE_SIZE = 4096
_HEADER = {
    0: b"SQLite format 3\0" + _PAGE_SIZE.to_bytes(2, "big"),
    20: bytes([0, 64, 32, 32]),
    28: bytes(4),
    32: bytes(8),
    44: (4).to_bytes(4, "big") + bytes(4) + bytes(4) + (1).to_bytes(4, "big"),
    64: bytes(36),
}
_WAL_MODE = bytes([2, 2])


def repair(path: Path) -> None:
    """Overwrite the fields of the header that are the same in each database of hldctl."""
    with path.open("r+b") as file:
        if os.fstat(file.fileno()).st_size < _PAGE_SIZE:
            return
        for offset, value in _HEADER.items():
            file.seek(offset)
            file.write(value)
        file.seek(18)
        file.write(_WAL_MODE)
