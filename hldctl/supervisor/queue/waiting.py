"""The queue, as a waiting supervisor sees it: wait until nothing is in the way, or for the time of a restart.

A waiting supervisor also restarts the dead supervisors of the sessions that it waits for.
"""

from __future__ import annotations

import time
from contextlib import closing

from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import modification_time_ns, touch
from hldctl.protocol.restart import load_restarts
from hldctl.states import EndReason, Status
from hldctl.store import sessions
from hldctl.store.admission import scheduler
from hldctl.store.budgets.waits import BudgetWait
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.supervisor.outcome import ending_for_stop
from hldctl.supervisor.queue.peers import QueuePeers
from hldctl.supervisor.queue.wake import load_rules, wake_startable
from hldctl.supervisor.record_outcome import conclude
from hldctl.supervisor.timeouts import session_deadline
from hldctl.system.clock import current_time_ms
from hldctl.system.watcher import Wakeup

# Only a guard: against a missed wake-up, a clock that was set, a configuration that was changed.
_MAX_SLEEP_SECONDS = 60.0
# Interval of looking for an interrupt without a wake-up: a command may be killed between its commit and its touch.
_POLL_SECONDS = 10.0


def wait_to_start(state: StateDirectory, files: SessionFiles) -> bool:
    """Wait until the session may start, and return True; return False if it has ended or was deleted."""
    session_id = files.directory.name
    peers = QueuePeers(state)
    while True:
        with open_database(state):
            ahead = scheduler.sessions_ahead(session_id)
            supervisor_pids = peers.supervisor_pids(ahead)
        with closing(Wakeup([files.wake_signal], supervisor_pids)) as wakeup:
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
                # A supervisor that was killed after it recorded its session's end has woken nobody.
                wake_startable(state)
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
        return scheduler.try_start(session.id, load_rules(), current_time_ms())
    return current_time_ms() >= _restart_due_ms(session)


def _sleep_seconds(session: Session) -> float:
    """Return the seconds until the session's restart or deadline; in the queue, until its budget's period ends."""
    if session.status == Status.QUEUED:
        wait = BudgetWait.from_stored(session.waiting_budget)
        seconds_left = 0.0 if wait is None else (wait.until - current_time_ms()) / 1000
        return min(seconds_left, _MAX_SLEEP_SECONDS) if seconds_left > 0 else _MAX_SLEEP_SECONDS
    times_ms = [
        _restart_due_ms(session),
        *([deadline_ms] if (deadline_ms := session_deadline(session)) is not None else []),
    ]
    return min(max(0.0, (min(times_ms) - current_time_ms()) / 1000), _MAX_SLEEP_SECONDS)


def _restart_due_ms(session: Session) -> int:
    """Return the time of the session's next start in milliseconds since 1970; 0 if it is not a restart."""
    restarts = load_restarts(session)
    return restarts[-1].due if restarts else 0
