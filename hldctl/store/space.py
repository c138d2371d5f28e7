"""The space that the database takes: of deleted rows, and of the write-ahead log."""

from __future__ import annotations

import os

from hldctl.store.connection import current, execute
from hldctl.store.database import BUSY_TIMEOUT_SECONDS

_WORTH_IT = 4 << 20
"""Bytes; less is filled by the next sessions anyway."""
_LONGEST_LOG = 32 << 20
"""Bytes; SQLite itself begins anew at 4 MB, but only if it meets nobody who reads."""
_PATIENCE_MILLISECONDS = 500
"""To wait for readers; they read for milliseconds."""


def give_back() -> None:
    """To the file system, where it is much and a quarter of the file: that means to write the rest anew."""
    free, pages, size = (_number(name) for name in ("freelist_count", "page_count", "page_size"))
    if free * size >= _WORTH_IT and free * 4 >= pages:
        execute("VACUUM")
    execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def shorten_log() -> None:
    """Empties a write-ahead log that followers have kept from being begun anew, waiting for them if need be."""
    try:
        length = os.stat(f"{current().filename}-wal").st_size
    except FileNotFoundError:
        return
    if length <= _LONGEST_LOG:
        return
    connection = current()
    connection.set_busy_timeout(_PATIENCE_MILLISECONDS)
    try:
        execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.set_busy_timeout(BUSY_TIMEOUT_SECONDS * 1000)


def _number(pragma: str) -> int:
    return int(execute(f"PRAGMA {pragma}").fetchone()[0])
