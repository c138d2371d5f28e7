"""Opening the database: made when absent, migrated when old, refused when newer or none at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import apsw
import peewee

from hldctl.errors import NewerDatabase, UnfitEnvironment
from hldctl.host.paths import StateDirectory
from hldctl.store.migrations import MIGRATIONS
from hldctl.store.models import database

BUSY_TIMEOUT_SECONDS = 30
_MIGRATION_TIMEOUT_SECONDS = 60


@contextmanager
def opened(state: StateDirectory) -> Iterator[None]:
    """A connection for the block, the one that is open already if there is; raises UnfitEnvironment if the database
    cannot be used.
    """
    if not database.is_closed():
        yield
        return
    state.prepare()
    database.init(
        str(state.database),
        # WAL is not among them: it stays with the file, and setting it again asks for a lock.
        pragmas={"synchronous": "NORMAL", "foreign_keys": 1},
        timeout=BUSY_TIMEOUT_SECONDS,
    )
    try:
        database.connect()
    except peewee.DatabaseError as error:
        raise unusable(state, error) from error
    try:
        try:
            _bring_up_to_date(state)
        except peewee.DatabaseError as error:
            raise unusable(state, error) from error
        yield
    except (peewee.OperationalError, peewee.InternalError) as error:
        raise unusable(state, error) from error
    except peewee.DatabaseError as error:
        # Its subclasses would be faults of ours.
        if type(error) is not peewee.DatabaseError:
            raise
        raise unusable(state, error) from error
    except apsw.Error as error:
        # Met while rows are being read, where peewee does not stand between.
        if isinstance(error, apsw.SQLError):
            raise
        raise unusable(state, error) from error
    finally:
        # It tidies up on the way, for which a full disk has no room; what was committed is safe.
        with suppress(peewee.DatabaseError):
            database.close()


def unusable(state: StateDirectory, error: Exception) -> UnfitEnvironment:
    reason = str(error).partition(": ")[2] or str(error)
    return UnfitEnvironment(
        f"The database {state.database} cannot be used: {reason}. "
        "Mend that, move the file away, or name another state directory in HLDCTL_HOME."
    )


def execute(sql: str, parameters: tuple[Any, ...] = ()) -> Any:
    """A statement by peewee's lower level, for paths where building it anew each time would be felt."""
    return database.execute_sql(sql, parameters)


def _bring_up_to_date(state: StateDirectory) -> None:
    version = _version()
    if version > len(MIGRATIONS):
        raise NewerDatabase(
            f"The database {state.database} was written by a newer hldctl (schema {version}; this one knows "
            f"{len(MIGRATIONS)}). Upgrade hldctl, or name another state directory in HLDCTL_HOME."
        )
    if version < len(MIGRATIONS):
        _migrate(state)


def _version() -> int:
    return int(execute("PRAGMA user_version").fetchone()[0])


def _migrate(state: StateDirectory) -> None:
    # Only here: filelock takes as long to import as everything else that a reading command needs.
    import filelock

    lock = filelock.FileLock(
        state.migration_lock,
        timeout=_MIGRATION_TIMEOUT_SECONDS,
        fallback_to_soft=False,
        preserve_lock_file=True,
    )
    try:
        with lock:
            execute("PRAGMA journal_mode = WAL")
            for number in range(_version(), len(MIGRATIONS)):
                with database.atomic("IMMEDIATE"):
                    for statement in MIGRATIONS[number]:
                        execute(statement)
                    execute(f"PRAGMA user_version = {number + 1}")
    except filelock.Timeout:
        raise UnfitEnvironment(
            f"Another process has been upgrading {state.database} for more than a minute; look for it, then try again."
        ) from None
    except OSError as error:
        raise UnfitEnvironment(f"{state.migration_lock} cannot be locked: {error.strerror or error}.") from None
