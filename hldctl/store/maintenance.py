"""Disk space of the database: deleted rows and the write-ahead log."""

from __future__ import annotations

import os
from contextlib import suppress

import apsw

from hldctl.store.connection import current_connection, execute
from hldctl.store.database import BUSY_TIMEOUT_SECONDS

# The next sessions fill less than this anyway.
_MIN_VACUUM_BYTES = 4 << 20
# 16 MB. A line takes about eight pages, and each checkpoint waits for the disk, for perhaps a tenth of a second.
_CHECKPOINT_PAGES = 4000
# SQLite restarts the log by itself, but only while nobody reads.
_MAX_LOG_BYTES = 32 << 20
# How long to wait for readers, which read for milliseconds.
_READER_TIMEOUT_MS = 500


def return_free_space() -> None:
    """Return free space to the file system if it is at least 4 MB and a quarter of the file: that rewrites the rest."""
    free, pages, size = (_read_number(name) for name in ("freelist_count", "page_count", "page_size"))
    if free * size >= _MIN_VACUUM_BYTES and free * 4 >= pages:
        execute("VACUUM")
    execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


class WalCheckpointer:
    """Checkpoints of the write-ahead log outside of commits, for a process that writes all the time.

    By default SQLite runs a checkpoint, and waits for the disk, within the commit that makes the log long. Here `tend`
    runs it after the commit, when those who wait for the commit have been notified.
    """

    def __init__(self) -> None:
        self._pages = 0
        current_connection().set_wal_hook(self._note_pages)

    def checkpoint_if_long(self) -> None:
        """Run a checkpoint if the log is long."""
        if self._pages < _CHECKPOINT_PAGES:
            return
        self._pages = 0
        # A failure is harmless, as in a commit: another process may run one, or the disk be full; the log has all data.
        with suppress(apsw.Error):
            current_connection().wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        truncate_log()

    def _note_pages(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK


def truncate_log() -> None:
    """Truncate a write-ahead log that followers kept from being restarted; wait up to 0.5 s for them."""
    try:
        length = os.stat(f"{current_connection().filename}-wal").st_size
    except FileNotFoundError:
        return
    if length <= _MAX_LOG_BYTES:
        return
    connection = current_connection()
    connection.set_busy_timeout(_READER_TIMEOUT_MS)
    try:
        execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.set_busy_timeout(BUSY_TIMEOUT_SECONDS * 1000)


def _read_number(pragma: str) -> int:
    return int(execute(f"PRAGMA {pragma}").fetchone()[0])
