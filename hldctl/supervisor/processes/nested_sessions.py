"""Detection of other sessions' processes among a session's descendants: a nested session is not a part of its parent.

A session marker in an environment proves nothing, since projects and tools can set it. A supervisor is proved by the
lock that it holds, a session by its lock and its row.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory, is_session_id
from hldctl.protocol.link import LINK_MODULE
from hldctl.store import process_claims
from hldctl.system import file_lock
from hldctl.system.processes import is_running, recorded_identity

if TYPE_CHECKING:
    import psutil

# Within this time a supervisor has taken its lock, or has exited because it is not needed.
_STARTING_SECONDS = 60.0


class OtherSessions:
    """Sessions other than the supervised one; each is looked up once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bool] = {}

    def is_foreign(self, process: psutil.Process, environment: Mapping[str, str]) -> bool:
        """Return whether a process with another marker than this session has is another session, supervisor or link."""
        marker, home = environment["HLDCTL_SESSION_ID"], environment.get("HLDCTL_HOME", "")
        if marker == "supervisor":
            return _is_supervisor(process)
        if (marker, home) not in self._known:
            self._known[marker, home] = _is_session(marker, home)
        return self._known[marker, home]


def _is_supervisor(process: psutil.Process) -> bool:
    if {("-m", "hldctl.supervisor"), ("-m", LINK_MODULE)}.isdisjoint(pairwise(process.cmdline())):
        return False
    if time.time() - process.create_time() < _STARTING_SECONDS:
        return True
    return any(_is_held_lock(Path(file.path)) for file in process.open_files())


def _is_held_lock(path: Path) -> bool:
    with contextlib.suppress(HldctlError):
        is_lock = path.name == "lock" and path.parent.parent.name == "sessions"
        return (is_lock or path.match("fleet/link.lock")) and not file_lock.is_free(path)
    return False


def _is_session(marker: str, home: str) -> bool:
    """Return whether this is a session with processes: one that has not ended, or has left some running."""
    if not is_session_id(marker) or not Path(home).is_absolute():
        return False
    state = StateDirectory(Path(home))
    with contextlib.suppress(HldctlError):
        if not file_lock.is_free(state.session(marker).lock):
            return True
    claim = process_claims.read_claim(state, marker)
    if claim is None:
        return False
    if not claim.has_ended:
        return True
    return any(is_running(recorded_identity(pid, claim.boot_id, started)) for pid, started in claim.left_running)
