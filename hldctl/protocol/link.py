"""The start of the link, the process that copies this machine's changes to the fleet's record.

Supervisors and commands look whether one runs: two system calls, without loading anything.
"""

from __future__ import annotations

import contextlib
import os
import sys

from hldctl.errors import UnfitEnvironment
from hldctl.paths import COMMAND_TOKEN, StateDirectory
from hldctl.private_files import PRIVATE_FILE
from hldctl.store.connection import execute
from hldctl.system import file_lock

LINK_MODULE = "hldctl.fleet.link"


def start_if_missing(state: StateDirectory) -> None:
    """Start the link if this machine is in a fleet and no link runs. Errors are ignored: the next look repeats it."""
    with contextlib.suppress(OSError, UnfitEnvironment):
        if state.fleet.has_joined and file_lock.is_free(state.fleet.lock):
            _start(state)


def start_if_late(state: StateDirectory) -> None:
    """Start the link if the record does not have all changes of the open database, as after a reboot."""
    if not state.is_replica and state.fleet.has_joined:
        query = "SELECT seq FROM sqlite_sequence WHERE name = 'feed'"
        rows = execute(query).fetchall()
        if rows and rows[0][0] > reached_id(state):
            start_if_missing(state)


def reached_id(state: StateDirectory) -> int:
    """Return the id of the last row of the feed that is known to be in the record; 0 if none is."""
    try:
        return int(state.fleet.reached.read_text() or 0)
    except (OSError, ValueError):
        return 0


def _start(state: StateDirectory) -> None:
    environment = {name: value for name, value in os.environ.items() if name != COMMAND_TOKEN}
    # The marker of supervisors, which belong to no session.
    environment |= {"HLDCTL_SESSION_ID": "supervisor", "HLDCTL_HOME": str(state.root)}
    log = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    os.posix_spawn(
        sys.executable,
        # -P: the working directory may hold a module of any name.
        [sys.executable, "-P", "-m", LINK_MODULE],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, str(state.fleet.log), log, PRIVATE_FILE),
        ],
        setsid=True,
    )
