"""Waiting until Claude Code may be started: for a name, for a slot, or for the moment to try again.

Having others' sessions adopted, by a supervisor that waits for their end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing

from hldctl.config import schema
from hldctl.errors import BadUsage
from hldctl.paths import SessionFiles, StateDirectory, make, modified_at, touch
from hldctl.protocol.restart import load_restarts
from hldctl.states import EndReason, Status
from hldctl.store import scheduler, sessions
from hldctl.store.database import opened
from hldctl.store.session import Session
from hldctl.supervisor.command import command
from hldctl.supervisor.other_namespaces import may_conclude
from hldctl.supervisor.outcome import stopped
from hldctl.supervisor.record_outcome import conclude, conclude_without_files
from hldctl.supervisor.timeouts import deadline
from hldctl.system import file_lock
from hldctl.system.clock import now
from hldctl.system.error_log import log_trouble
from hldctl.system.processes import identify, is_this_machine
from hldctl.system.watcher import Wakeup

_LONGEST_SLEEP = 60.0
"""Only a guard: against a wake-up that was missed, a clock that was set, a configuration that was changed."""
_LOOK_SECONDS = 10.0
"""How often to look for an interrupt without a wake-up: a command may be killed between its commit and its touch."""


def slots() -> scheduler.Slots:
    """As they are configured at this moment."""
    try:
        said = schema.load()
    except BadUsage:
        # Whoever launches next is told; who waits already does not start all at once for it.
        log_trouble()
        return scheduler.Slots(all=1)
    return scheduler.Slots(said.max_running, said.groups)


def wait(state: StateDirectory, files: SessionFiles) -> bool:
    """Whether the session may start now; False if it has ended while it waited, or is gone."""
    session_id = files.directory.name
    make(state.queue_signal)
    neighbours = Neighbours(state)
    while True:
        with opened(state):
            ahead = scheduler.ahead_of(session_id)
            watched = neighbours.supervisors(ahead)
        with closing(Wakeup([state.queue_signal, files.wake_signal], watched)) as wakeup:
            with opened(state):
                woken_at = modified_at(files.wake_signal)
                session = sessions.get(session_id)
                if session is None or session.completed_at is not None:
                    return False
                if (reason := _reason_to_stop(session)) is not None:
                    conclude(state, session, stopped(reason))
                    return False
                if _may_start(session):
                    touch(files.change_signal)
                    return True
                neighbours.adopt_lost(ahead)
            touch(files.wake_answer, woken_at)
            _sleep(wakeup, state, session)


def _sleep(wakeup: Wakeup, state: StateDirectory, session: Session) -> None:
    """Until something happens or may be due; or there is an interrupt of which nothing woke this process."""
    ends_at = time.monotonic() + _patience(session)
    while (left := ends_at - time.monotonic()) > 0:
        if wakeup.wait(min(left, _LOOK_SECONDS)):
            return
        with opened(state):
            if sessions.interrupt_request(session.id) is not None:
                return


def _reason_to_stop(session: Session) -> EndReason | None:
    request = sessions.interrupt_request(session.id)
    if request is not None:
        return request.reason
    ends_at = deadline(session)
    return EndReason.TIMEOUT if ends_at is not None and now() >= ends_at else None


def _may_start(session: Session) -> bool:
    if session.status == Status.QUEUED:
        return scheduler.start(session.id, slots(), now())
    return now() >= _due(session)


def _patience(session: Session) -> float:
    if session.status == Status.QUEUED:
        return _LONGEST_SLEEP
    moments = [_due(session), *([ends_at] if (ends_at := deadline(session)) is not None else [])]
    return min(max(0.0, (min(moments) - now()) / 1000), _LONGEST_SLEEP)


def _due(session: Session) -> int:
    restarts = load_restarts(session)
    return restarts[-1].due if restarts else 0


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
            if not file_lock.is_free(files.lock) or not (_is_here(session) or may_conclude(session, files)):
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
