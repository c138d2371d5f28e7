"""Detection and replacement of supervisors that do not respond: they are stopped, hang, or cannot write."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.private_files import modification_time_ns, touch
from hldctl.sessions import supervisors
from hldctl.store import sessions
from hldctl.system import file_lock
from hldctl.system.watcher import Wakeup

# How long a stopped supervisor may take to respond to a touch of its wake signal; also the interval of these touches.
_STOPPED_SECONDS = 5.0
# How long another supervisor may take: it may lack CPU time, or wait for the disk or the database.
_SLOW_SECONDS = 15.0
# After this number of replacements, another one is not likely to respond either.
_MAX_REPLACEMENTS = 3


class SupervisorMonitor:
    """A monitor that replaces unresponsive supervisors while a command waits for their sessions.

    A supervisor is unresponsive if it does not act on a touch of its wake signal.
    """

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._silent_since: dict[str, float] = {}
        self._woken_at: dict[str, float] = {}
        self._replacements: dict[str, int] = {}

    def replace_unresponsive(self, ids: Iterable[str]) -> None:
        """Replace the supervisors of these sessions that do not respond.

        Raise UnfitEnvironment if one cannot be replaced, or if its replacements do not respond either.
        """
        now_seconds = time.monotonic()
        unresponsive = [session_id for session_id in ids if self._is_unresponsive(session_id, now_seconds)]
        if not unresponsive:
            return
        for session_id in unresponsive:
            self._replacements[session_id] = self._replacements.get(session_id, 0) + 1
            if self._replacements[session_id] > _MAX_REPLACEMENTS:
                log = self._state.session(session_id).log
                raise UnfitEnvironment(f"No supervisor of session {session_id} responds; see {log}.")
            del self._silent_since[session_id]
        supervisors.replace(self._state, unresponsive)

    def _is_unresponsive(self, session_id: str, now_seconds: float) -> bool:
        if not _has_responded(self._state, session_id):
            silence = now_seconds - self._silent_since.setdefault(session_id, now_seconds)
            return silence >= _SLOW_SECONDS or (silence >= _STOPPED_SECONDS and supervisors.is_stopped(session_id))
        self._silent_since.pop(session_id, None)
        # A supervisor that has responded may be stopped later.
        if now_seconds - self._woken_at.setdefault(session_id, now_seconds) >= _STOPPED_SECONDS:
            self._woken_at[session_id] = now_seconds
            touch(self._state.session(session_id).wake_signal)
        return False


def unresponsive_ids(state: StateDirectory, ids: Iterable[str], seconds: float) -> list[str]:
    """Return the sessions whose supervisor is alive but does not respond within `seconds`."""
    supervised = [session_id for session_id in ids if not file_lock.is_free(state.session(session_id).lock)]
    for session_id in supervised:
        touch(state.session(session_id).wake_signal)
    deadline = time.monotonic() + seconds
    answer_files = [path for session_id in supervised if (path := state.session(session_id).wake_answer).exists()]
    wakeup = Wakeup(answer_files)
    try:
        while silent := [session_id for session_id in supervised if not _has_responded(state, session_id)]:
            if (seconds_left := deadline - time.monotonic()) <= 0:
                break
            wakeup.wait(min(seconds_left, 1.0))
    finally:
        wakeup.close()
    alive = {session.id for session in sessions.live_sessions(silent)}
    return [
        session_id
        for session_id in silent
        if session_id in alive and not file_lock.is_free(state.session(session_id).lock)
    ]


def _has_responded(state: StateDirectory, session_id: str) -> bool:
    """Return whether the supervisor has read the database since the last touch of its wake signal."""
    files = state.session(session_id)
    return modification_time_ns(files.wake_answer) == modification_time_ns(files.wake_signal)
