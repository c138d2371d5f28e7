"""This machine as a member of a fleet: its UUID, which database it writes, and where it is."""

from __future__ import annotations

import os
from typing import NamedTuple

from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.protocol import link
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


def leave(state: StateDirectory) -> None:
    """Remove the mark of a member, and wake the link, which then ends."""
    state.fleet.joined.unlink(missing_ok=True)
    link.forget_progress(state)
    touch(state.fleet.directory)


def renew_life() -> str:
    """Give the local database a new life, so that the record starts again at its first change; return it."""
    with transaction():
        execute("UPDATE marks SET value = lower(hex(randomblob(16))) WHERE name = 'life'")
    return _life()


def _life() -> str:
    return str(execute("SELECT value FROM marks WHERE name = 'life'").fetchall()[0][0])


def _place(state: StateDirectory) -> str:
    status = os.stat(state.root)
    return f"{pid_scope().partition(':')[0]}:{status.st_dev}:{status.st_ino}"
