"""Opening the database: made when absent, migrated when old, refused when newer or none at all."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from hldctl.errors import DamagedDatabase, NewerDatabase, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.store import connection
from hldctl.store.connection import execute, transaction
from hldctl.store.migrations import MIGRATIONS, migrations_from
from hldctl.system import file_lock

BUSY_TIMEOUT_SECONDS = 30
_MIGRATION_TIMEOUT_SECONDS = 60
_FAULTS_OF_OURS = (
    *(apsw.ConstraintError, apsw.MismatchError, apsw.MisuseError, apsw.RangeError, apsw.TooBigError),
    *(apsw.BindingsError, apsw.ConnectionClosedError, apsw.CursorClosedError, apsw.ThreadingViolationError),
)

UNWRITABLE = (apsw.CantOpenError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError)
"""What SQLite raises where the disk takes no writes, among other reasons."""
_DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
_DAMAGE_RESULTS = (apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS)
_DAMAGE_WORDS = re.compile("^no such|^unsupported file format|^malformed|^duplicate column|already exists$")
"""What SQLite says when the schema, or its number, is not what hldctl wrote."""
_LATEST_SCHEMA = 10_000
"""No later version of hldctl has that many migrations; a higher number is damage."""
_LONGEST_MESSAGE = 200
_LITTLE_SPACE = 128 << 10
"""Bytes; the files beside the database take 32 KB before anything is written."""

Condition = tuple[object, ...]

_fallback: list[Condition] = []
"""One at most: how the database was when a read-only view of it was opened."""


@contextmanager
def opened(state: StateDirectory) -> Iterator[None]:
    """A connection for the block, the one that is open already if there is; raises UnfitEnvironment if the database
    cannot be used.
    """
    if connection.is_open():
        yield
        return
    state.prepare()
    with _explained(state):
        _connect(state)
        yield


@contextmanager
def reading(state: StateDirectory) -> Iterator[None]:
    """Open the database for a block that only reads: a disk that is full or read-only does not prevent that.

    `connection.is_read_only` says whether what is open can be written to.
    """
    if connection.is_open():
        yield
        return
    state.prepare()
    with _explained(state):
        _connect_for_reading(state)
        yield


def refresh(state: StateDirectory) -> None:
    """Read what is new in the next queries, also where the open connection is to a copy of the database."""
    if _fallback and _fallback[-1] != _condition(state):
        connection.disconnect()
        _connect_for_reading(state)


@contextmanager
def _explained(state: StateDirectory) -> Iterator[None]:
    """Turn the driver's errors into sentences, and close the connection at the end."""
    try:
        yield
    except _FAULTS_OF_OURS:
        raise
    except apsw.Error as error:
        raise unusable(state, error) from error
    finally:
        _fallback.clear()
        # It tidies up on the way, for which a full disk has no room; what was committed is safe.
        if connection.is_open():
            with suppress(apsw.Error):
                connection.disconnect()


def _connect(state: StateDirectory) -> None:
    connection.connect(str(state.database), BUSY_TIMEOUT_SECONDS, may_create=not state.is_settled)
    _bring_up_to_date(state)


def _connect_for_reading(state: StateDirectory) -> None:
    _fallback.clear()
    try:
        _connect(state)
    except UNWRITABLE:
        if connection.is_open():
            with suppress(apsw.Error):
                connection.disconnect()
        if not state.database.exists():
            raise
        # Only here: it loads what copies files.
        from hldctl.store import read_only

        condition = _condition(state)
        connection.use(read_only.connect(state.database, len(MIGRATIONS)))
        _fallback.append(condition)
        _refuse_newer(state, _version())


def _condition(state: StateDirectory) -> Condition:
    """Return what changes when the database does, or when its disk may take writes again."""
    disk = os.statvfs(state.root)
    found: list[object] = [disk.f_flag, disk.f_bavail]
    for path in (state.database, f"{state.database}-wal"):
        try:
            status = os.stat(path)
            found += [status.st_ino, status.st_size, status.st_mtime_ns]
        except FileNotFoundError:
            found.append(None)
    return tuple(found)


def one_line(error: object) -> str:
    """Return what SQLite says on one line, without control characters: it quotes from the file."""
    said = " ".join(str(error).split())[:_LONGEST_MESSAGE]
    return "".join(character if character.isprintable() else "\ufffd" for character in said)


def unusable(state: StateDirectory, error: apsw.Error) -> UnfitEnvironment:
    """Return the sentence for an error of the driver: what is wrong with the file or its disk, and what to do."""
    path = state.database
    if (
        isinstance(error, _DAMAGE)
        or _DAMAGE_WORDS.search(str(error))
        or getattr(error, "extendedresult", 0) in _DAMAGE_RESULTS
    ):
        return DamagedDatabase(f"The database {path} is damaged: {one_line(error)}. Run `hldctl doctor --fix`.")
    if isinstance(error, UNWRITABLE) and (refusal := _refusal(state, error)):
        return UnfitEnvironment(f"The database {path} cannot be used: {refusal}")
    return UnfitEnvironment(
        f"The database {path} cannot be used: {one_line(error)}. "
        "Fix that, or name another state directory in HLDCTL_HOME."
    )


def _refusal(state: StateDirectory, error: apsw.Error) -> str | None:
    """Return why the disk takes no writes, and what to do about it; None if it seems to take them."""
    system_error = connection.current().system_errno if connection.is_open() else 0
    try:
        disk = os.statvfs(state.root)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY or system_error == errno.EROFS:
        return f"the disk that holds {state.root} is mounted read-only. Mount it for writing to change anything there."
    is_full = disk.f_bavail * disk.f_frsize < _LITTLE_SPACE or (disk.f_files and not disk.f_favail)
    if is_full or isinstance(error, apsw.FullError) or system_error in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk that holds {state.root} is full. "
            "Free some space, or delete old sessions: `hldctl prune --older-than 30d`."
        )
    return None


def _bring_up_to_date(state: StateDirectory) -> None:
    version = _version()
    _refuse_newer(state, version)
    if version < len(MIGRATIONS):
        _migrate(state)


def _refuse_newer(state: StateDirectory, version: int) -> None:
    if not 0 <= version < _LATEST_SCHEMA:
        raise DamagedDatabase(
            f"The database {state.database} is damaged: its schema has the number {version}. Run `hldctl doctor --fix`."
        )
    if version > len(MIGRATIONS):
        raise NewerDatabase(
            f"The database {state.database} was written by a newer hldctl (schema {version}; this one knows "
            f"{len(MIGRATIONS)}). Upgrade hldctl, or name another state directory in HLDCTL_HOME."
        )


def _version() -> int:
    return int(execute("PRAGMA user_version").fetchone()[0])


def _migrate(state: StateDirectory) -> None:
    with _alone(state):
        execute("PRAGMA journal_mode = WAL")
        for migration in migrations_from(_version()):
            with transaction():
                for statement in migration:
                    execute(statement)


@contextmanager
def _alone(state: StateDirectory) -> Iterator[None]:
    """No other process migrates meanwhile; raises UnfitEnvironment for one that does not come to an end."""
    try:
        held = file_lock.acquire(state.migration_lock, _MIGRATION_TIMEOUT_SECONDS)
    except OSError as error:
        raise UnfitEnvironment(f"{state.migration_lock} cannot be locked: {error.strerror or error}.") from None
    if held is None:
        raise UnfitEnvironment(
            f"Another process has been upgrading {state.database} for more than a minute; look for it, then try again."
        )
    try:
        yield
    finally:
        os.close(held)


def changing_files(state: StateDirectory) -> list[Path]:
    """Return what a process has to watch to see each change: each commit writes or makes one of these files."""
    return [state.root, state.database.with_name(f"{state.database.name}-wal")]
