"""This machine as a member of a fleet: its UUID, which database it writes, and where it is."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from typing import NamedTuple

from hldctl.paths import FleetFiles, StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY, PRIVATE_FILE, replace_private, touch
from hldctl.store.connection import execute, transaction
from hldctl.system.processes import pid_scope


class Identity(NamedTuple):
    """What the record knows a machine by."""

    machine_id: str
    name: str
    life: str
    """Identifies the local database; another one after it was rebuilt."""
    place: str
    """The boot and the state directory's inode: another one for a copy of the directory, or after a reboot."""


def load(state: StateDirectory) -> Identity:
    """Return the machine's identity. Needs an open database."""
    machine_id = state.fleet.machine_id.read_text().strip()
    return Identity(machine_id, os.uname().nodename, _life(), _place(state))


def join(state: StateDirectory, *, new_identity: bool = False) -> str:
    """Mark this machine as a member of a fleet, and return its UUID, a new one if it has none or `new_identity`."""
    files = state.fleet
    files.directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    if new_identity or not files.machine_id.exists():
        replace_private(files.machine_id, f"{uuid.uuid4()}\n".encode())
        _forget_place(files)
    os.close(os.open(files.joined, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE))
    return files.machine_id.read_text().strip()


def leave(state: StateDirectory) -> None:
    """Remove the mark of a member, and wake the link, which then ends."""
    state.fleet.joined.unlink(missing_ok=True)
    _forget_place(state.fleet)
    touch(state.fleet.directory)


def renew_life() -> str:
    """Give the local database a new life, so that the record starts again at its first change; return it."""
    with transaction():
        execute("UPDATE marks SET value = lower(hex(randomblob(16))) WHERE name = 'life'")
    return _life()


def _forget_place(files: FleetFiles) -> None:
    for file in (files.reached, files.problem):
        with suppress(FileNotFoundError):
            file.unlink()


def _life() -> str:
    return str(execute("SELECT value FROM marks WHERE name = 'life'").fetchall()[0][0])


def _place(state: StateDirectory) -> str:
    status = os.stat(state.root)
    return f"{pid_scope().partition(':')[0]}:{status.st_dev}:{status.st_ino}"
