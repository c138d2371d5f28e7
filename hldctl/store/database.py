"""Opening of the database: create it if absent, migrate an old one, refuse a newer or invalid one."""

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
_PROGRAMMING_ERRORS = (
    *(apsw.ConstraintError, apsw.MismatchError, apsw.MisuseError, apsw.RangeError, apsw.TooBigError),
    *(apsw.BindingsError, apsw.ConnectionClosedError, apsw.CursorClosedError, apsw.ThreadingViolationError),
)

UNWRITABLE = (apsw.CantOpenError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError)
"""What SQLite raises, for example, if the disk cannot be written to."""
_DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
_DAMAGE_RESULTS = (apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS)
# SQLite's messages if the schema, or its number, is not the one that hldctl wrote.
_DAMAGE_MESSAGE = re.compile("^no such|^unsupported file format|^malformed|^duplicate column|already exists$")
# No later version of hldctl has this many migrations; a higher number is damage.
_MAX_SCHEMA = 10_000
_MAX_MESSAGE_LENGTH = 200
# The files beside the database take 32 KB before anything is written.
_MIN_FREE_BYTES = 128 << 10

Condition = tuple[object, ...]

# At most one item: the condition of the database when a read-only view of it was opened.
_fallback: list[Condition] = []


@contextmanager
def open_database(state: StateDirectory) -> Iterator[None]:
    """Open the database for the block, or use the connection that is open already.

    Raise UnfitEnvironment if the database cannot be used.
    """
    if connection.is_open():
        yield
        return
    state.prepare()
    with _translate_errors(state):
        _connect(state)
        yield


@contextmanager
def open_for_reading(state: StateDirectory) -> Iterator[None]:
    """Open the database for a block that only reads, which also works if the disk is full or read-only.

    `connection.is_read_only` returns whether the open connection cannot write.
    """
    if connection.is_open():
        yield
        return
    state.prepare()
    with _translate_errors(state):
        _connect_for_reading(state)
        yield


def refresh(state: StateDirectory) -> None:
    """Let the next queries see new changes, even if the open connection is to a copy of the database."""
    if _fallback and _fallback[-1] != _condition(state):
        connection.disconnect()
        _connect_for_reading(state)


@contextmanager
def _translate_errors(state: StateDirectory) -> Iterator[None]:
    """Turn the driver's errors into UnfitEnvironment, and close the connection at the end."""
    try:
        yield
    except _PROGRAMMING_ERRORS:
        raise
    except apsw.Error as error:
        raise unusable_database_error(state, error) from error
    finally:
        _fallback.clear()
        # SQLite cleans up its files here, which can fail on a full disk; committed changes are safe.
        if connection.is_open():
            with suppress(apsw.Error):
                connection.disconnect()


def _connect(state: StateDirectory, *, checkpoints_at_end: bool = True) -> None:
    connection.connect(
        str(state.database),
        BUSY_TIMEOUT_SECONDS,
        may_create=not state.is_known_to_exist,
        checkpoints_at_end=checkpoints_at_end,
    )
    _bring_up_to_date(state)


def _connect_for_reading(state: StateDirectory) -> None:
    _fallback.clear()
    try:
        # A reader leaves that to those who write: it takes 12 ms, and who opens the database in that time has to wait.
        _connect(state, checkpoints_at_end=False)
    except UNWRITABLE:
        if connection.is_open():
            with suppress(apsw.Error):
                connection.disconnect()
        if not state.database.exists():
            raise
        # Imported only here: it loads the modules that copy files.
        from hldctl.store import read_only

        condition = _condition(state)
        connection.use(read_only.connect(state.database, len(MIGRATIONS)))
        _fallback.append(condition)
        _refuse_newer(state, _version())


def _condition(state: StateDirectory) -> Condition:
    """Return values that change when the database does, or when its disk may be writable again."""
    disk = os.statvfs(state.root)
    return (disk.f_flag, disk.f_bavail, *change_stamp(state))


def change_stamp(state: StateDirectory) -> Condition:
    """Return values that change with each commit. They may change without one, too, as at a checkpoint."""
    stamp: list[object] = []
    for path in (state.database, f"{state.database}-wal"):
        try:
            status = os.stat(path)
            stamp += [status.st_ino, status.st_size, status.st_mtime_ns]
        except FileNotFoundError:
            stamp.append(None)
    return tuple(stamp)


def format_error(error: object) -> str:
    """Return SQLite's message on one line, without control characters: it may quote from the file."""
    line = " ".join(str(error).split())[:_MAX_MESSAGE_LENGTH]
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


def unusable_database_error(state: StateDirectory, error: apsw.Error) -> UnfitEnvironment:
    """Return an exception for a driver's error: what is wrong with the file or its disk, and what to do."""
    path = state.database
    if (
        isinstance(error, _DAMAGE)
        or _DAMAGE_MESSAGE.search(str(error))
        or getattr(error, "extendedresult", 0) in _DAMAGE_RESULTS
    ):
        return DamagedDatabase(f"The database {path} is damaged: {format_error(error)}. Run `hldctl doctor --fix`.")
    if isinstance(error, UNWRITABLE) and (refusal := _refusal(state, error)):
        return UnfitEnvironment(f"The database {path} cannot be used: {refusal}")
    return UnfitEnvironment(
        f"The database {path} cannot be used: {format_error(error)}. "
        "Fix that, or name another state directory in HLDCTL_HOME."
    )


def _refusal(state: StateDirectory, error: apsw.Error) -> str | None:
    """Return why the disk cannot be written to, and what to do; None if it seems to be writable."""
    system_error = connection.current_connection().system_errno if connection.is_open() else 0
    try:
        disk = os.statvfs(state.root)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY or system_error == errno.EROFS:
        return f"the disk that holds {state.root} is mounted read-only. Mount it for writing to change anything there."
    is_full = disk.f_bavail * disk.f_frsize < _MIN_FREE_BYTES or (disk.f_files and not disk.f_favail)
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
    if not 0 <= version < _MAX_SCHEMA:
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
    with _migration_lock(state):
        execute("PRAGMA journal_mode = WAL")
        for migration in migrations_from(_version()):
            with transaction():
                for statement in migration:
                    execute(statement)


@contextmanager
def _migration_lock(state: StateDirectory) -> Iterator[None]:
    """Lock out other processes that migrate; raise UnfitEnvironment if one does not finish in a minute."""
    try:
        lock = file_lock.acquire_quickly(state.migration_lock, _MIGRATION_TIMEOUT_SECONDS)
    except OSError as error:
        raise UnfitEnvironment(f"{state.migration_lock} cannot be locked: {error.strerror or error}.") from None
    if lock is None:
        raise UnfitEnvironment(
            f"Another process has been upgrading {state.database} for more than a minute; look for it, then try again."
        )
    try:
        yield
    finally:
        os.close(lock)


def files_to_watch(state: StateDirectory) -> list[Path]:
    """Return the files to watch for changes: each commit writes or creates one of them."""
    return [state.root, state.database.with_name(f"{state.database.name}-wal")]
