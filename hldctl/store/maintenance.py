"""The space that the database takes: of deleted rows, and of the write-ahead log."""

from __future__ import annotations

import os
from contextlib import suppress

import apsw

from hldctl.store.connection import current, execute
from hldctl.store.database import BUSY_TIMEOUT_SECONDS

_WORTH_IT = 4 << 20
"""Bytes; less is filled by the next sessions anyway."""
_LONG_LOG_PAGES = 4000
"""16 MB: a line takes some eight pages of it, and each time the disk is waited for, for a tenth of a second maybe."""
_LONGEST_LOG = 32 << 20
"""Bytes; SQLite itself begins anew, but only if it meets nobody who reads."""
_PATIENCE_MILLISECONDS = 500
"""To wait for readers; they read for milliseconds."""


def give_back() -> None:
    """To the file system, where it is much and a quarter of the file: that means to write the rest anew."""
    free, pages, size = (_number(name) for name in ("freelist_count", "page_count", "page_size"))
    if free * size >= _WORTH_IT and free * 4 >= pages:
        execute("VACUUM")
    execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


class Log:
    """The write-ahead log, for one that writes all the time and has somebody wait for each commit.

    SQLite brings the log into the database as a part of the commit that makes it long, and waits for the disk: here
    that is done by `tend`, after those who wait were told.
    """

    def __init__(self) -> None:
        self._pages = 0
        current().set_wal_hook(self._has_grown)

    def tend(self) -> None:
        if self._pages < _LONG_LOG_PAGES:
            return
        self._pages = 0
        # As little a fault as it is in a commit: another may be at it, or the disk full; the log has all.
        with suppress(apsw.Error):
            current().wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        shorten_log()

    def _has_grown(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK


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
