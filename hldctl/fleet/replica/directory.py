"""The directory of a replica: a state directory that exists as long as a command needs it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apsw

from hldctl.paths import StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY
from hldctl.store.migrations import migrations_from
from hldctl.system.processes import identify


@contextmanager
def open_replica(home: StateDirectory) -> Iterator[StateDirectory]:
    """Make an empty replica, and delete it at the end of the block, as well as those of commands that were killed."""
    replicas = home.fleet.replicas
    replicas.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    _sweep(home)
    root = replicas / f"{os.getpid()}-{secrets.token_hex(4)}"
    root.mkdir(mode=PRIVATE_DIRECTORY)
    try:
        state = StateDirectory(root, is_known_to_exist=True, is_replica=True)
        state.sessions.mkdir(mode=PRIVATE_DIRECTORY)
        _make_database(state)
        yield state
    finally:
        shutil.rmtree(root, ignore_errors=True)


def connect(state: StateDirectory) -> apsw.Connection:
    """Open a connection to the replica's database, besides the one that the command reads with."""
    connection = apsw.Connection(str(state.database))
    connection.set_busy_timeout(10_000)
    # It is thrown away after a crash.
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _make_database(state: StateDirectory) -> None:
    connection = connect(state)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        with connection:
            for migration in migrations_from(0):
                for statement in migration:
                    connection.execute(statement)
    finally:
        connection.close()


def _sweep(home: StateDirectory) -> None:
    with suppress(OSError):
        for directory in home.fleet.replicas.iterdir():
            pid = directory.name.partition("-")[0]
            if pid.isdecimal() and identify(int(pid)) is None:
                shutil.rmtree(directory, ignore_errors=True)
