"""Waiting for sessions, without polling if the system can notify us of changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hldctl.config import schema
from hldctl.errors import ExitCode, Interrupted, NoSuchSession, WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.supervisor_health import SupervisorMonitor
from hldctl.states import EndReason, Status
from hldctl.store import scheduler, sessions
from hldctl.store.database import open_for_reading, refresh
from hldctl.store.session import Session
from hldctl.system.watcher import Wakeup

T = TypeVar("T")

_WORST_FIRST = (ExitCode.FAILED, ExitCode.TIMED_OUT, ExitCode.INTERRUPTED)


def wait_for_sessions(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    until: Status | None = None,
    any_of_them: bool = False,
    attention: SupervisorMonitor | None = None,
) -> list[Session]:
    """Return the sessions once all, or any, have ended or reached `until`, in the order in which they did.

    A session that ends before it reaches `until` counts as well.
    """
    waiting, done = list(dict.fromkeys(ids)), list[str]()
    for session_id in waiting:
        state.session(session_id).require_own_directory()

    def look() -> list[Session] | None:
        done.extend(_done_ids(waiting, until))
        waiting[:] = [session_id for session_id in waiting if session_id not in done]
        if not waiting or (any_of_them and done):
            return [_get_session(session_id) for session_id in done]
        supervisors.adopt_lost(state, waiting)
        if attention is not None:
            attention.replace_unresponsive(waiting)
        return None

    return _wait_until(look, state, [state.session(session_id).change_signal for session_id in ids])


def wait_for_conversation(state: StateDirectory, session_id: str) -> Session:
    """Return the session once Claude Code has begun its conversation, or once it has ended without one.

    Raise WrongState if it is queued, since that may take long.
    """

    def look() -> Session | None:
        supervisors.adopt_lost(state, [session_id])
        session = _get_session(session_id)
        if session.status == Status.QUEUED:
            raise WrongState(f"Session {session_id} is queued; there is nothing to continue yet.")
        return session if session.claude_session_id is not None or session.completed_at is not None else None

    return _wait_until(look, state, [state.session(session_id).change_signal])


def wait_for_replaced(state: StateDirectory, session_id: str) -> None:
    """Wait until the sessions that it replaces have ended, and it runs or waits only for a slot.

    Raise Interrupted if it was replaced or stopped in the meantime.
    """
    attention = SupervisorMonitor(state)

    def look() -> Session | None:
        session = _get_session(session_id)
        if session.status == Status.INTERRUPTED and session.started_at is None:
            raise Interrupted(f"Session {session_id} was interrupted before it started.")
        if session.completed_at is not None or session.pid is not None or _is_waiting_for_slot(session):
            return session
        same_name = scheduler.ids_with_name(session.name)
        supervisors.adopt_lost(state, same_name)
        attention.replace_unresponsive(same_name)
        return None

    _wait_until(look, state, [state.session(session_id).change_signal, state.queue_signal])


def _is_waiting_for_slot(session: Session) -> bool:
    if session.status != Status.QUEUED or scheduler.ids_with_name(session.name)[:1] != [session.id]:
        return False
    config = schema.load()
    return not scheduler.may_start(session.id, scheduler.Slots(config.max_running, config.groups))


def has_ended(state: StateDirectory, session_id: str) -> bool:
    with open_for_reading(state):
        return _get_session(session_id).completed_at is not None


def has_pending_on_end(state: StateDirectory, session_id: str) -> bool:
    """Return whether the session has an `on_end` command that has not finished."""
    with open_for_reading(state):
        return bool(_get_session(session_id).on_end_pending)


def wait_for_on_end(state: StateDirectory, session_id: str) -> None:
    """Wait until its `on_end` command has finished, too: the caller may kill everything that still runs afterwards."""

    def look() -> Session | None:
        session = _get_session(session_id)
        if not session.on_end_pending:
            return session
        supervisors.adopt_lost(state, [session_id])
        return None

    _wait_until(look, state, [state.session(session_id).change_signal])


def _wait_until(look: Callable[[], T | None], state: StateDirectory, watched: Sequence[Path]) -> T:
    """Call `look` now and after each change of these files, and return its first result that is not None."""
    # Unlike Path.exists, os.path.exists does not raise for a directory that cannot be searched.
    wakeup = Wakeup([path for path in watched if os.path.exists(path)])
    try:
        with open_for_reading(state):
            while True:
                if (result := look()) is not None:
                    return result
                wakeup.wait(supervisors.POLL_SECONDS)
                refresh(state)
    finally:
        wakeup.close()


def worst_exit_code(ended: Sequence[Session]) -> ExitCode:
    """Return the worst of the sessions' exit codes."""
    codes = {session_exit_code(session) for session in ended}
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.DONE)


def session_exit_code(session: Session) -> ExitCode:
    """Return the session's exit code; 0 also if it has not ended, since it reached the status that was waited for."""
    if session.end_reason in (EndReason.TIMEOUT, EndReason.IDLE_TIMEOUT):
        return ExitCode.TIMED_OUT
    if session.status == Status.INTERRUPTED:
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED if session.status == Status.FAILED else ExitCode.DONE


def _done_ids(ids: Sequence[str], until: Status | None) -> list[str]:
    statuses = sessions.statuses(ids)
    if missing := [session_id for session_id in ids if session_id not in statuses]:
        raise NoSuchSession(f"Session {missing[0]} was deleted.")
    return [session_id for session_id in ids if statuses[session_id].has_ended or statuses[session_id] == until]


def _get_session(session_id: str) -> Session:
    session = sessions.get(session_id)
    if session is None:
        raise NoSuchSession(f"Session {session_id} was deleted.")
    return session
