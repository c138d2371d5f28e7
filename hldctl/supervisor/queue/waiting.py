"""The queue, as a waiting supervisor sees it: wait until nothing is in the way, or for the time of a restart.

A waiting supervisor also restarts the dead supervisors of the sessions that it waits for.
"""

from __future__ import annotations

import math
import time
from contextlib import closing

from hldctl.config import schema
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import modification_time_ns, touch
from hldctl.states import EndReason, Status
from hldctl.store import sessions
from hldctl.store.admission import scheduler
from hldctl.store.admission.limits import account_of
from hldctl.store.budgets.waits import BudgetWait
from hldctl.store.database import change_stamp, open_database
from hldctl.store.session import Session
from hldctl.store.sessions import Ending
from hldctl.supervisor.outcome import ending_for_stop
from hldctl.supervisor.queue import dependencies
from hldctl.supervisor.queue.peers import QueuePeers
from hldctl.supervisor.queue.wake import load_rules, wake_next, wake_startable
from hldctl.supervisor.record_outcome import conclude
from hldctl.supervisor.timeouts import session_deadline
from hldctl.system.clock import current_time_ms
from hldctl.system.watcher import Wakeup

# Interval of comparing times and sizes of files, and of looking for an interrupt if they have changed: a command may be
# killed between its commit and its touch.
_POLL_SECONDS = 10.0
# After this time a change without a wake-up, also one of the configuration, leads to another look at the queue.
_CHANGE_SECONDS = 60.0
# Only a guard against what was not thought of.
_GUARD_SECONDS = 600.0
# For a time that has passed, with something else still in the way.
_SHORTEST_SECONDS = 0.05


def wait_to_start(state: StateDirectory, files: SessionFiles) -> bool:
    """Wait until the session may start, and return True; return False if it has ended or was deleted."""
    session_id = files.directory.name
    peers = QueuePeers(state)
    while True:
        seen = _stamp(state)
        with open_database(state):
            ahead = scheduler.sessions_ahead(session_id)
            supervisor_pids = peers.supervisor_pids(ahead)
        with closing(Wakeup([files.wake_signal], supervisor_pids)) as wakeup:
            with open_database(state):
                woken_at_ns = modification_time_ns(files.wake_signal)
                session = sessions.get(session_id)
                if session is None or session.completed_at is not None:
                    return False
                if (ending := find_ending(state, session)) is not None:
                    conclude(state, session, ending)
                    return False
                if _try_start(session):
                    touch(files.change_signal)
                    # The session after this one in its account has a time now.
                    wake_next(state, account_of(session.id, session.account))
                    return True
                peers.adopt_lost(ahead)
                # A supervisor that was killed after it recorded its session's end has woken nobody.
                wake_startable(state)
                wake_at_ms = _wake_time(session)
            touch(files.wake_answer, woken_at_ns)
            _sleep_until_event(wakeup, state, session_id, seen, wake_at_ms)


def find_ending(state: StateDirectory, session: Session) -> Ending | None:
    """Return how a waiting session has to end without a start; None if it may start some day."""
    if (reason := _reason_to_stop(session)) is not None:
        return ending_for_stop(reason, session)
    return dependencies.find_failure(state, session)


def _sleep_until_event(
    wakeup: Wakeup, state: StateDirectory, session_id: str, seen: tuple[object, ...], wake_at_ms: int | None
) -> None:
    """Sleep until a time, until a wake-up, or until something has changed since `seen` without a wake-up."""
    began_at = time.monotonic()
    while True:
        seconds_left = math.inf if wake_at_ms is None else (wake_at_ms - current_time_ms()) / 1000
        if wakeup.wait(min(max(seconds_left, _SHORTEST_SECONDS), _POLL_SECONDS)):
            return
        slept = time.monotonic() - began_at
        if slept >= _GUARD_SECONDS or (wake_at_ms is not None and current_time_ms() >= wake_at_ms):
            return
        if _stamp(state) != seen:
            if slept >= _CHANGE_SECONDS:
                return
            with open_database(state):
                if sessions.interrupt_request(session_id) is not None:
                    return


def _stamp(state: StateDirectory) -> tuple[object, ...]:
    """Return values that change with the database and with the configuration."""
    try:
        configured_at_ns: int | None = schema.path().stat().st_mtime_ns
    except OSError:
        configured_at_ns = None
    return (configured_at_ns, *change_stamp(state))


def _reason_to_stop(session: Session) -> EndReason | None:
    request = sessions.interrupt_request(session.id)
    if request is not None:
        return request.reason
    deadline_ms = session_deadline(session)
    return EndReason.TIMEOUT if deadline_ms is not None and current_time_ms() >= deadline_ms else None


def _try_start(session: Session) -> bool:
    try_start = scheduler.try_start if session.status == Status.QUEUED else scheduler.try_restart
    return try_start(session.id, load_rules(), current_time_ms())


def _wake_time(session: Session) -> int | None:
    """Return the time of the session's start or deadline in milliseconds since 1970; None if they have none."""
    now = current_time_ms()
    times_ms = [scheduler.next_start(session.id, load_rules(), now), session_deadline(session), _budget_until(session)]
    return min((time_ms for time_ms in times_ms if time_ms is not None), default=None)


def _budget_until(session: Session) -> int | None:
    """Return the end of the period of the budget that a queued session waits for; None if it is past."""
    wait = BudgetWait.from_stored(session.waiting_budget)
    return wait.until if wait is not None and wait.until > current_time_ms() else None
