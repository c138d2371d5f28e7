"""Read-only connections for a disk that cannot be written to: SQLite normally creates files beside the database.

Measured with SQLite 3.54: without these files, opening a database in WAL mode fails with SQLITE_IOERR on a full disk,
and with SQLITE_CANTOPEN on a read-only one. If both files of the write-ahead log exist, it opens as usual.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from itertools import chain
from pathlib import Path

import apsw

_DIRECTORIES = (None, "/dev/shm")  # noqa: S108  the system's default, then memory

OUTDATED_WARNING = (
    "The disk cannot be written to, and the database could not be copied for lack of room: the newest changes may be "
    "missing from the output."
)

_outdated: list[Path] = []


def is_outdated() -> bool:
    """Return whether a read missed the newest changes because the database could not be copied for lack of room."""
    return bool(_outdated)


def connect(database: Path, schema: int) -> apsw.Connection:
    """Return a read-only connection to the database as it is now; raise apsw.Error if that fails.

    A database with changes in its write-ahead log, or with another schema, is copied to a private directory first and
    brought up to date there: to read the log, SQLite would need to write beside the database.
    """
    if not _has_log(database):
        connection = _open_immutable(database)
        try:
            if _version(connection) >= schema:
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
    for directory in _DIRECTORIES:
        try:
            return _open_copy(database, directory)
        except (OSError, apsw.FullError, apsw.IOError, apsw.CantOpenError):
            continue
    _outdated.append(database)
    return _open_immutable(database)


def _has_log(database: Path) -> bool:
    try:
        return os.stat(f"{database}-wal").st_size > 0
    except FileNotFoundError:
        return False


def _version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))


def _open_immutable(path: Path) -> apsw.Connection:
    """Open a file as immutable: SQLite then takes no locks and needs no other file."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
    # A sort may be large, and the directory for temporary files may be on the same disk.
    connection.execute("PRAGMA temp_store = MEMORY").fetchall()
    return connection


def _open_copy(database: Path, parent: str | None) -> apsw.Connection:
    """Open a copy, and delete it at once: the open descriptor keeps it until the connection is closed."""
    directory = Path(tempfile.mkdtemp(prefix="hldctl-", dir=parent))
    try:
        copy = directory / "hldctl.db"
        shutil.copyfile(database, copy)
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{database}-wal", f"{copy}-wal")
        _bring_up_to_date(copy)
        connection = _open_immutable(copy)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _bring_up_to_date(copy: Path) -> None:
    """Merge the write-ahead log into the copy, and migrate it to this version's schema."""
    from hldctl.store.migrations import migrations_from

    connection = apsw.Connection(str(copy))
    try:
        for statement in chain.from_iterable(migrations_from(_version(connection))):
            connection.execute(statement)
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        connection.close()
