"""Reading the database where its disk takes no writes: SQLite needs a file beside it otherwise, or has to make one.

Measured with SQLite 3.54: without that file, opening a database in WAL mode fails with SQLITE_IOERR on a full disk and
with SQLITE_CANTOPEN on one that is read-only. If both files of the write-ahead log are there, it opens as usual.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from itertools import chain
from pathlib import Path

import apsw

_DIRECTORIES = (None, "/dev/shm")  # noqa: S108  the system's usual one, then memory

OUTDATED = (
    "The disk takes no writes, and there is no room to copy the database: the newest changes may be missing from what "
    "was printed."
)

_outdated: list[Path] = []


def is_outdated() -> bool:
    """Return whether something was read without the newest changes, for want of room to copy them."""
    return bool(_outdated)


def connect(database: Path, schema: int) -> apsw.Connection:
    """Return a connection that cannot write, to the database as it is now; raises apsw.Error.

    A database with changes in its write-ahead log, or of another schema, is copied to a private directory first and
    brought up to date there: for the former SQLite would need to write beside it.
    """
    if not _has_log(database):
        connection = _immutable(database)
        try:
            if _version(connection) >= schema:
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
    for directory in _DIRECTORIES:
        try:
            return _copied(database, directory)
        except (OSError, apsw.FullError, apsw.IOError, apsw.CantOpenError):
            continue
    _outdated.append(database)
    return _immutable(database)


def _has_log(database: Path) -> bool:
    try:
        return os.stat(f"{database}-wal").st_size > 0
    except FileNotFoundError:
        return False


def _version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))


def _immutable(path: Path) -> apsw.Connection:
    """Open a file that SQLite is told nobody writes to: it takes no locks then, and needs no other file."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
    # What is sorted may be long, and the directory for temporary files may be on the same disk.
    connection.execute("PRAGMA temp_store = MEMORY").fetchall()
    return connection


def _copied(database: Path, parent: str | None) -> apsw.Connection:
    """Open a copy that is deleted at once: the open descriptor keeps it until the connection is closed."""
    directory = Path(tempfile.mkdtemp(prefix="hldctl-", dir=parent))
    try:
        copy = directory / "hldctl.db"
        shutil.copyfile(database, copy)
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{database}-wal", f"{copy}-wal")
        _bring_up_to_date(copy)
        connection = _immutable(copy)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _bring_up_to_date(copy: Path) -> None:
    """Take the write-ahead log into the copy, and make the schema this version's."""
    from hldctl.store.migrations import migrations_from

    connection = apsw.Connection(str(copy))
    try:
        for statement in chain.from_iterable(migrations_from(_version(connection))):
            connection.execute(statement)
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        connection.close()
