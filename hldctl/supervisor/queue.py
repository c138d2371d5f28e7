"""The queue, as a waiting supervisor sees it: wait for a name, a slot or the time of a restart.

A waiting supervisor also restarts the dead supervisors of the sessions that it waits for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing

from hldctl.config import schema
from hldctl.errors import BadUsage
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import ensure_exists, modification_time_ns, touch
from hldctl.protocol.restart import load_restarts
from hldctl.states import EndReason, Status
from hldctl.store import scheduler, sessions
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.supervisor.command import build_supervisor_command
from hldctl.supervisor.other_namespaces import may_conclude
from hldctl.supervisor.outcome import ending_for_stop
from hldctl.supervisor.record_outcome import conclude, conclude_without_files
from hldctl.supervisor.timeouts import session_deadline
from hldctl.system import file_lock
from hldctl.system.clock import current_time_ms
from hldctl.system.error_log import log_exception
from hldctl.system.processes import identify, is_this_machine
from hldctl.system.watcher import Wakeup

# Only a guard: against a missed wake-up, a clock that was set, a configuration that was changed.
_MAX_SLEEP_SECONDS = 60.0
# Interval of looking for an interrupt without a wake-up: a command may be killed between its commit and its touch.
_POLL_SECONDS = 10.0
# Time before another attempt at an adoption that failed.
_ADOPTION_RETRY_SECONDS = 30.0


def load_slots() -> scheduler.Slots:
    """Return the slots as they are configured now."""
    try:
        config = schema.load()
    except BadUsage:
        # The next launch reports the error. Here, fall back to one slot, so that the queue does not start all at once.
        log_exception()
        return scheduler.Slots(all=1)
    return scheduler.Slots(config.max_running, config.groups)


def wait_to_start(state: StateDirectory, files: SessionFiles) -> bool:
    """Wait until the session may start, and return True; return False if it has ended or was deleted."""
    session_id = files.directory.name
    ensure_exists(state.queue_signal)
    peers = QueuePeers(state)
    while True:
        with open_database(state):
            ahead = scheduler.sessions_ahead(session_id)
            supervisor_pids = peers.supervisor_pids(ahead)
        with closing(Wakeup([state.queue_signal, files.wake_signal], supervisor_pids)) as wakeup:
            with open_database(state):
                woken_at_ns = modification_time_ns(files.wake_signal)
                session = sessions.get(session_id)
                if session is None or session.completed_at is not None:
                    return False
                if (reason := _reason_to_stop(session)) is not None:
                    conclude(state, session, ending_for_stop(reason, session))
                    return False
                if _try_start(session):
                    touch(files.change_signal)
                    return True
                peers.adopt_lost(ahead)
            touch(files.wake_answer, woken_at_ns)
            _sleep_until_event(wakeup, state, session)


def _sleep_until_event(wakeup: Wakeup, state: StateDirectory, session: Session) -> None:
    """Sleep until a wake-up, until something may be due, or until there is an interrupt without a wake-up."""
    ends_at = time.monotonic() + _sleep_seconds(session)
    while (seconds_left := ends_at - time.monotonic()) > 0:
        if wakeup.wait(min(seconds_left, _POLL_SECONDS)):
            return
        with open_database(state):
            if sessions.interrupt_request(session.id) is not None:
                return


def _reason_to_stop(session: Session) -> EndReason | None:
    request = sessions.interrupt_request(session.id)
    if request is not None:
        return request.reason
    deadline_ms = session_deadline(session)
    return EndReason.TIMEOUT if deadline_ms is not None and current_time_ms() >= deadline_ms else None


def _try_start(session: Session) -> bool:
    if session.status == Status.QUEUED:
        return scheduler.try_start(session.id, load_slots(), current_time_ms())
    return current_time_ms() >= _restart_due_ms(session)


def _sleep_seconds(session: Session) -> float:
    """Return the seconds until the session's restart or deadline; the maximum while it is in the queue."""
    if session.status == Status.QUEUED:
        return _MAX_SLEEP_SECONDS
    times_ms = [
        _restart_due_ms(session),
        *([deadline_ms] if (deadline_ms := session_deadline(session)) is not None else []),
    ]
    return min(max(0.0, (min(times_ms) - current_time_ms()) / 1000), _MAX_SLEEP_SECONDS)


def _restart_due_ms(session: Session) -> int:
    """Return the time of the session's next start in milliseconds since 1970; 0 if it is not a restart."""
    restarts = load_restarts(session)
    return restarts[-1].due if restarts else 0


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
