"""Waiting for sessions, without a poll where the system can wake us."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hldctl.config import schema
from hldctl.errors import ExitCode, NoSuchSession, WasInterrupted, WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import supervisors
from hldctl.sessions.supervisor_health import Attention
from hldctl.states import EndReason, Status
from hldctl.store import scheduler, sessions
from hldctl.store.database import reading, refresh
from hldctl.store.session import Session
from hldctl.system.watcher import Wakeup

LOOK_SECONDS = 1.0
"""How often to look whether a supervisor has died, which nothing tells."""

T = TypeVar("T")

_WORST_FIRST = (ExitCode.FAILED, ExitCode.TIMED_OUT, ExitCode.INTERRUPTED)


def wait(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    until: Status | None = None,
    any_of_them: bool = False,
    attention: Attention | None = None,
) -> list[Session]:
    """Returns the sessions once all, or any, have ended or reached `until`, in the order in which they came to it.

    A session that ends without having reached `until` is waited for no longer.
    """
    waiting, arrived = list(dict.fromkeys(ids)), list[str]()
    for session_id in waiting:
        state.session(session_id).require_own_directory()

    def look() -> list[Session] | None:
        arrived.extend(_arrivals(waiting, until))
        waiting[:] = [session_id for session_id in waiting if session_id not in arrived]
        if not waiting or (any_of_them and arrived):
            return [_existing(session_id) for session_id in arrived]
        supervisors.adopt_lost(state, waiting)
        if attention is not None:
            attention.look(waiting)
        return None

    return _once(look, state, [state.session(session_id).change_signal for session_id in ids])


def until_conversation(state: StateDirectory, session_id: str) -> Session:
    """The session once Claude Code has begun its conversation, or once it has ended without one.

    Raises WrongState for one that waits in a queue, maybe for long.
    """

    def look() -> Session | None:
        supervisors.adopt_lost(state, [session_id])
        session = _existing(session_id)
        if session.status == Status.QUEUED:
            raise WrongState(f"Session {session_id} waits in a queue; there is nothing to continue yet.")
        return session if session.claude_session_id is not None or session.completed_at is not None else None

    return _once(look, state, [state.session(session_id).change_signal])


def until_replaced(state: StateDirectory, session_id: str) -> None:
    """Until the sessions that it replaces have ended and it runs, or only waits for a slot.

    Raises WasInterrupted if it was replaced itself meanwhile, or stopped.
    """

    attention = Attention(state)

    def look() -> Session | None:
        session = _existing(session_id)
        if session.status == Status.INTERRUPTED and session.started_at is None:
            raise WasInterrupted(f"Session {session_id} was interrupted before it was its turn.")
        if session.completed_at is not None or session.pid is not None or _waits_for_a_slot(session):
            return session
        rivals = scheduler.with_name(session.name)
        supervisors.adopt_lost(state, rivals)
        attention.look(rivals)
        return None

    _once(look, state, [state.session(session_id).change_signal, state.queue_signal])


def _waits_for_a_slot(session: Session) -> bool:
    if session.status != Status.QUEUED or scheduler.with_name(session.name)[:1] != [session.id]:
        return False
    said = schema.load()
    return not scheduler.may_start(session.id, scheduler.Slots(said.max_running, said.groups))


def has_ended(state: StateDirectory, session_id: str) -> bool:
    with reading(state):
        return _existing(session_id).completed_at is not None


def has_on_end_left(state: StateDirectory, session_id: str) -> bool:
    """Return whether the session has an `on_end` command that has not been run to its end."""
    with reading(state):
        return bool(_existing(session_id).on_end_pending)


def until_all_is_done(state: StateDirectory, session_id: str) -> None:
    """Until its `on_end` has been run, too, if it has one: whoever goes on may end all that runs beside."""

    def look() -> Session | None:
        session = _existing(session_id)
        if not session.on_end_pending:
            return session
        supervisors.adopt_lost(state, [session_id])
        return None

    _once(look, state, [state.session(session_id).change_signal])


def _once(look: Callable[[], T | None], state: StateDirectory, watched: Sequence[Path]) -> T:
    """What `look` gives once it gives something; looks whenever one of these changes."""
    # Unlike Path.exists, it raises nothing for a directory that cannot be searched.
    wakeup = Wakeup([path for path in watched if os.path.exists(path)])
    try:
        with reading(state):
            while True:
                if (found := look()) is not None:
                    return found
                wakeup.wait(LOOK_SECONDS)
                refresh(state)
    finally:
        wakeup.close()


def exit_code(ended: Sequence[Session]) -> ExitCode:
    """The worst of the sessions' exit codes."""
    codes = {session_exit_code(session) for session in ended}
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.DONE)


def session_exit_code(session: Session) -> ExitCode:
    """0 for one that has not ended, too: it is what was waited for."""
    if session.end_reason in (EndReason.TIMEOUT, EndReason.IDLE_TIMEOUT):
        return ExitCode.TIMED_OUT
    if session.status == Status.INTERRUPTED:
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED if session.status == Status.FAILED else ExitCode.DONE


def _arrivals(ids: Sequence[str], until: Status | None) -> list[str]:
    statuses = sessions.statuses(ids)
    if missing := [session_id for session_id in ids if session_id not in statuses]:
        raise NoSuchSession(f"Session {missing[0]} was deleted.")
    return [session_id for session_id in ids if statuses[session_id].has_ended or statuses[session_id] == until]


def _existing(session_id: str) -> Session:
    session = sessions.get(session_id)
    if session is None:
        raise NoSuchSession(f"Session {session_id} was deleted.")
    return session
