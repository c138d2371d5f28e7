"""Waiting until Claude Code may be started: for a name, for a slot, or for the moment to try again."""

from __future__ import annotations

import time
from contextlib import closing

from hldctl.errors import BadUsage
from hldctl.host import configuration
from hldctl.host.clock import now
from hldctl.host.paths import SessionFiles, StateDirectory, make, modified_at, touch
from hldctl.host.wakeup import Wakeup
from hldctl.states import EndReason, Status
from hldctl.store import admission, sessions
from hldctl.store.database import opened
from hldctl.store.session import Session
from hldctl.supervisor import restart
from hldctl.supervisor.adoption import Neighbours
from hldctl.supervisor.conclusion import conclude
from hldctl.supervisor.ending import stopped
from hldctl.supervisor.limits import deadline
from hldctl.supervisor.trouble import log_trouble

_LONGEST_SLEEP = 60.0
"""Only a guard: against a wake-up that was missed, a clock that was set, a configuration that was changed."""
_LOOK_SECONDS = 10.0
"""How often to look for an interrupt without a wake-up: a command may be killed between its commit and its touch."""


def slots() -> admission.Slots:
    """As they are configured at this moment."""
    try:
        said = configuration.load()
    except BadUsage:
        # Whoever launches next is told; who waits already does not start all at once for it.
        log_trouble()
        return admission.Slots(all=1)
    return admission.Slots(said.max_running, said.groups)


def wait(state: StateDirectory, files: SessionFiles) -> bool:
    """Whether the session may start now; False if it has ended while it waited, or is gone."""
    session_id = files.directory.name
    make(state.queue)
    neighbours = Neighbours(state)
    while True:
        with opened(state):
            ahead = admission.ahead_of(session_id)
            watched = neighbours.supervisors(ahead)
        with closing(Wakeup([state.queue, files.wake], watched)) as wakeup:
            with opened(state):
                woken_at = modified_at(files.wake)
                session = sessions.get(session_id)
                if session is None or session.completed_at is not None:
                    return False
                if (reason := _reason_to_stop(session)) is not None:
                    conclude(state, session, stopped(reason))
                    return False
                if _may_start(session):
                    touch(files.changed)
                    return True
                neighbours.adopt_lost(ahead)
            touch(files.heard, woken_at)
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
        return admission.start(session.id, slots(), now())
    return now() >= _due(session)


def _patience(session: Session) -> float:
    if session.status == Status.QUEUED:
        return _LONGEST_SLEEP
    moments = [_due(session), *([ends_at] if (ends_at := deadline(session)) is not None else [])]
    return min(max(0.0, (min(moments) - now()) / 1000), _LONGEST_SLEEP)


def _due(session: Session) -> int:
    restarts = restart.of_session(session)
    return restarts[-1].due if restarts else 0
