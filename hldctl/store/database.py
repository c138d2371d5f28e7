"""Opening the database: made when absent, migrated when old, refused when newer or none at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apsw

from hldctl.errors import NewerDatabase, UnfitEnvironment
from hldctl.host import lock
from hldctl.host.paths import StateDirectory
from hldctl.store import connection
from hldctl.store.connection import execute, transaction
from hldctl.store.migrations import MIGRATIONS

BUSY_TIMEOUT_SECONDS = 30
_MIGRATION_TIMEOUT_SECONDS = 60
_FAULTS_OF_OURS = (
    *(apsw.ConstraintError, apsw.MismatchError, apsw.MisuseError, apsw.RangeError, apsw.TooBigError),
    *(apsw.BindingsError, apsw.ConnectionClosedError, apsw.CursorClosedError, apsw.ThreadingViolationError),
)


@contextmanager
def opened(state: StateDirectory) -> Iterator[None]:
    """A connection for the block, the one that is open already if there is; raises UnfitEnvironment if the database
    cannot be used.
    """
    if connection.is_open():
        yield
        return
    state.prepare()
    try:
        connection.connect(str(state.database), BUSY_TIMEOUT_SECONDS)
    except apsw.Error as error:
        raise unusable(state, error) from error
    try:
        _bring_up_to_date(state)
        yield
    except _FAULTS_OF_OURS:
        raise
    except apsw.Error as error:
        raise unusable(state, error) from error
    finally:
        # It tidies up on the way, for which a full disk has no room; what was committed is safe.
        with suppress(apsw.Error):
            connection.disconnect()


def unusable(state: StateDirectory, error: apsw.Error) -> UnfitEnvironment:
    return UnfitEnvironment(
        f"The database {state.database} cannot be used: {error}. "
        "Mend that, move the file away, or name another state directory in HLDCTL_HOME."
    )


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
    with _alone(state):
        execute("PRAGMA journal_mode = WAL")
        for number in range(_version(), len(MIGRATIONS)):
            with transaction():
                for statement in MIGRATIONS[number]:
                    execute(statement)
                execute(f"PRAGMA user_version = {number + 1}")


@contextmanager
def _alone(state: StateDirectory) -> Iterator[None]:
    """No other process migrates meanwhile; raises UnfitEnvironment for one that does not come to an end."""
    try:
        held = lock.acquire(state.migration_lock, _MIGRATION_TIMEOUT_SECONDS)
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
