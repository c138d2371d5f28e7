"""The sessions that a session in the queue waits for, and the supervisors that they may have lost."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hldctl.paths import StateDirectory
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.supervisor.command import build_supervisor_command
from hldctl.supervisor.processes.other_namespaces import may_conclude
from hldctl.supervisor.record_outcome import conclude_without_files
from hldctl.system import file_lock
from hldctl.system.processes import identify, is_this_machine

# Time before another attempt at an adoption that failed.
_ADOPTION_RETRY_SECONDS = 30.0


class QueuePeers:
    """The sessions that a session in the queue waits for."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._tried_at: dict[str, float] = {}

    def supervisor_pids(self, ids: Iterable[str]) -> list[int]:
        """Return the pids of the live supervisors on this machine of these sessions."""
        local_sessions = (session for session in sessions.live_sessions(ids) if _is_on_this_machine(session))
        return [
            pid
            for session in local_sessions
            if (pid := session.supervisor_pid) is not None and identify(pid) is not None
        ]

    def adopt_lost(self, ids: Iterable[str]) -> None:
        """Start a supervisor for each of these sessions that has lost its own, and wait until it has taken over."""
        for session in sessions.live_sessions(ids):
            files = self._state.session(session.id)
            if not file_lock.is_free(files.lock) or not (_is_on_this_machine(session) or may_conclude(session, files)):
                continue
            if files.directory.is_dir():
                self._try_adopt(session.id)
            else:
                conclude_without_files(self._state, session)

    def _try_adopt(self, session_id: str) -> None:
        now_seconds = time.monotonic()
        if session_id not in self._tried_at or now_seconds >= self._tried_at[session_id] + _ADOPTION_RETRY_SECONDS:
            self._tried_at[session_id] = now_seconds
            _start_supervisor(session_id)


def _is_on_this_machine(session: Session) -> bool:
    return is_this_machine(session.host, session.boot_id)


def _start_supervisor(session_id: str) -> None:
    # Imported here: few supervisors start another one, and every one would keep the memory for its lifetime.
    import subprocess

    process = subprocess.Popen(
        build_supervisor_command("adopt", session_id),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as report:
        report.readline()
