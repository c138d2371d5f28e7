"""Whether supervisors answer, and replacing those that do not: they are stopped, hang, or cannot write."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory, modified_at, touch
from hldctl.sessions import supervisors
from hldctl.store import sessions
from hldctl.system import file_lock
from hldctl.system.watcher import Wakeup

_STOPPED_SECONDS = 5.0
"""How long a stopped supervisor may leave a touch unanswered; also how often one is made."""
_SLOW_SECONDS = 15.0
"""How long another may: it may lack the processor, or wait for the disk or the database."""
_REPLACEMENTS = 3
"""After which there is no hope that another supervisor answers."""


class Attention:
    """Replaces supervisors that leave a touch of `wake` unanswered, while a command waits for their sessions."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._unheard_since: dict[str, float] = {}
        self._asked_at: dict[str, float] = {}
        self._replacements: dict[str, int] = {}

    def look(self, ids: Iterable[str]) -> None:
        """Raises UnfitEnvironment for a supervisor that cannot be replaced, or none of whose successors answers."""
        moment = time.monotonic()
        late = [session_id for session_id in ids if self._is_late(session_id, moment)]
        if not late:
            return
        for session_id in late:
            self._replacements[session_id] = self._replacements.get(session_id, 0) + 1
            if self._replacements[session_id] > _REPLACEMENTS:
                log = self._state.session(session_id).log
                raise UnfitEnvironment(f"No supervisor of session {session_id} answers; see {log}.")
            del self._unheard_since[session_id]
        supervisors.replace(self._state, late)

    def _is_late(self, session_id: str, moment: float) -> bool:
        if not _has_answered(self._state, session_id):
            silence = moment - self._unheard_since.setdefault(session_id, moment)
            return silence >= _SLOW_SECONDS or (silence >= _STOPPED_SECONDS and supervisors.is_stopped(session_id))
        self._unheard_since.pop(session_id, None)
        # One that has answered may be stopped later.
        if moment - self._asked_at.setdefault(session_id, moment) >= _STOPPED_SECONDS:
            self._asked_at[session_id] = moment
            touch(self._state.session(session_id).wake_signal)
        return False


def unanswering(state: StateDirectory, ids: Iterable[str], seconds: float) -> list[str]:
    """Those of these sessions whose supervisor lives, and does not answer within that time."""
    asked = [session_id for session_id in ids if not file_lock.is_free(state.session(session_id).lock)]
    for session_id in asked:
        touch(state.session(session_id).wake_signal)
    deadline = time.monotonic() + seconds
    heard = [path for session_id in asked if (path := state.session(session_id).wake_answer).exists()]
    wakeup = Wakeup(heard)
    try:
        while silent := [session_id for session_id in asked if not _has_answered(state, session_id)]:
            if (left := deadline - time.monotonic()) <= 0:
                break
            wakeup.wait(min(left, 1.0))
    finally:
        wakeup.close()
    alive = {session.id for session in sessions.not_ended(silent)}
    return [
        session_id
        for session_id in silent
        if session_id in alive and not file_lock.is_free(state.session(session_id).lock)
    ]


def _has_answered(state: StateDirectory, session_id: str) -> bool:
    """Whether the supervisor has looked into the database since the last touch of `wake`."""
    files = state.session(session_id)
    return modified_at(files.wake_answer) == modified_at(files.wake_signal)
