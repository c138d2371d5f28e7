"""The start of the link, the process that copies this machine's changes to the fleet's record.

Supervisors and commands look whether one runs: two system calls, without loading anything.
"""

from __future__ import annotations

import contextlib
import time

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY, ensure_exists, replace_private
from hldctl.store import feed
from hldctl.system import file_lock

# How often to look how far the link has come: it notes that in a file.
_REACHED_POLL_SECONDS = 0.05

LINK_MODULE = "hldctl.fleet.link"


def start_if_missing(state: StateDirectory) -> None:
    """Start the link if this machine is in a fleet and no link runs. Errors are ignored: the next look repeats it."""
    with contextlib.suppress(OSError, UnfitEnvironment):
        if state.fleet.has_joined and file_lock.is_free(state.fleet.lock):
            _start(state)


def start_if_late(state: StateDirectory) -> None:
    """Start the link if the record does not have all changes of the open database, as after a reboot."""
    if not state.is_replica and state.fleet.has_joined and count_late(state):
        start_if_missing(state)


def count_late(state: StateDirectory) -> int:
    """Return how many changes of the open database the record does not have, as far as is known here."""
    return max(0, feed.last_given_id() - reached_id(state))


def await_delivery(state: StateDirectory, timeout_seconds: float) -> bool:
    """Wait until the record has all changes that the open database has now; return False if that takes too long."""
    last = feed.last_given_id()
    deadline = time.monotonic() + timeout_seconds
    while reached_id(state) < last:
        start_if_missing(state)
        if time.monotonic() >= deadline:
            return False
        time.sleep(_REACHED_POLL_SECONDS)
    return True


def join(state: StateDirectory, *, new_identity: bool = False) -> str:
    """Mark this machine as a member of a fleet, and return its UUID, a new one if it has none or `new_identity`."""
    files = state.fleet
    files.directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    if new_identity or not files.machine_id.exists():
        # Imported here: a machine joins once.
        import uuid

        replace_private(files.machine_id, f"{uuid.uuid4()}\n".encode())
        forget_progress(state)
    ensure_exists(files.joined)
    return files.machine_id.read_text().strip()


def known_machine_id(state: StateDirectory) -> str | None:
    """Return this machine's UUID; None if it has never joined a fleet."""
    try:
        return state.fleet.machine_id.read_text().strip()
    except FileNotFoundError:
        return None


def forget_progress(state: StateDirectory) -> None:
    """Forget how far the link has come, and its problem."""
    for file in (state.fleet.reached, state.fleet.problem):
        file.unlink(missing_ok=True)


def reached_id(state: StateDirectory) -> int:
    """Return the id of the last row of the feed that is known to be in the record; 0 if none is."""
    try:
        return int(state.fleet.reached.read_text() or 0)
    except (OSError, ValueError):
        return 0


def _start(state: StateDirectory) -> None:
    # Imported here: most looks find a link.
    from hldctl.system.detached import start_module

    start_module(state, LINK_MODULE, state.fleet.log)
