"""Having others' sessions adopted, by a supervisor that waits for their end."""

from __future__ import annotations

import time
from collections.abc import Iterable

from hldctl.host import lock
from hldctl.host.paths import StateDirectory
from hldctl.host.processes import identify, is_this_machine
from hldctl.store import sessions
from hldctl.store.session import Session
from hldctl.supervisor.command import command
from hldctl.supervisor.conclusion import conclude_without_files
from hldctl.supervisor.elsewhere import may_conclude

_AGAIN_SECONDS = 30.0
"""After which one that nobody could adopt is tried again."""


class Neighbours:
    """The sessions that another one waits for."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._tried: dict[str, float] = {}

    def supervisors(self, ids: Iterable[str]) -> list[int]:
        """The pids of those supervisors that live here."""
        here = (session for session in sessions.not_ended(ids) if _is_here(session))
        return [pid for session in here if (pid := session.supervisor_pid) is not None and identify(pid) is not None]

    def adopt_lost(self, ids: Iterable[str]) -> None:
        """Starts a supervisor for each of these that has lost its own; returns once they follow."""
        for session in sessions.not_ended(ids):
            files = self._state.session(session.id)
            if not lock.is_free(files.lock) or not (_is_here(session) or may_conclude(session, files)):
                continue
            if files.directory.is_dir():
                self._try(session.id)
            else:
                conclude_without_files(self._state, session)

    def _try(self, session_id: str) -> None:
        moment = time.monotonic()
        if session_id not in self._tried or moment >= self._tried[session_id] + _AGAIN_SECONDS:
            self._tried[session_id] = moment
            _start(session_id)


def _is_here(session: Session) -> bool:
    return is_this_machine(session.host, session.boot_id)


def _start(session_id: str) -> None:
    # Only here: few supervisors adopt another's session, and each would pay for as long as it lives.
    import subprocess

    process = subprocess.Popen(
        command("adopt", session_id),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as answer:
        answer.readline()
