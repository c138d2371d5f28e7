"""Interrupting sessions: the intent is recorded in the database, and the supervisors act on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hldctl.errors import WrongState
from hldctl.paths import StateDirectory
from hldctl.private_files import touch
from hldctl.protocol.interrupt import GRACE_SECONDS
from hldctl.sessions import supervisors, wait
from hldctl.sessions.supervisor_health import SupervisorMonitor
from hldctl.store import sessions
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.supervisor.processes import other_namespaces
from hldctl.system.clock import current_time_ms


def interrupt_sessions(
    state: StateDirectory, ids: Sequence[str], *, grace_seconds: float = GRACE_SECONDS, await_end: bool = True
) -> list[Session]:
    """Stop the sessions in parallel; return the new state of those that had not ended before.

    Replace supervisors that do not respond in the meantime.

    Raise WrongState for a session of another host, whose processes cannot be reached from here. A session in another
    PID namespace, such as a container's, is stopped by its supervisor there, which reads the same database.
    """
    with open_database(state):
        # First: a session that has already ended keeps its outcome.
        supervisors.adopt_lost(state, ids)
        for session in sessions.live_sessions(ids):
            if not supervisors.is_running_here(session):
                _refuse_unless_supervised(session, state)
        requested = [
            session_id
            for session_id in ids
            if sessions.request_interrupt(session_id, current_time_ms(), int(grace_seconds * 1000))
        ]
        for session_id in requested:
            touch(state.session(session_id).wake_signal)
            touch(state.session(session_id).change_signal)
        if not await_end:
            return [stored for session_id in requested if (stored := sessions.get(session_id)) is not None]
    return wait.wait_for_sessions(state, requested, attention=SupervisorMonitor(state)) if requested else []


def interrupt_trees(
    state: StateDirectory, ids: Sequence[str], *, grace_seconds: float = GRACE_SECONDS, await_end: bool = True
) -> list[Session]:
    """Stop the sessions and all that were launched within them; return those that had not ended before.

    A session that is being interrupted launches no other one, so none is left at the end.
    """
    stopped: dict[str, Session] = {}
    found = list(ids)
    while found:
        while found:
            for session in interrupt_sessions(state, found, grace_seconds=grace_seconds, await_end=False):
                stopped[session.id] = session
            found = running_descendants(state, ids, except_for=stopped)
        if await_end:
            ended = wait.wait_for_sessions(state, list(stopped), attention=SupervisorMonitor(state)) if stopped else []
            stopped |= {session.id: session for session in ended}
            # A launch of one that has just ended may have been recorded before it was interrupted.
            found = running_descendants(state, ids, except_for=stopped)
    return list(stopped.values())


def running_descendants(state: StateDirectory, ids: Sequence[str], *, except_for: Collection[str] = ()) -> list[str]:
    """Return the sessions launched within these, at all levels, that have not ended."""
    with open_database(state):
        return [each for each in sessions.live_descendants(ids) if each not in except_for]


def _refuse_unless_supervised(session: Session, state: StateDirectory) -> None:
    files = state.session(session.id)
    if other_namespaces.is_supervised(session, files):
        return
    if advice := other_namespaces.advice(session, files):
        raise WrongState(f"Session {session.id} runs {advice}.")
    raise WrongState(f"Session {session.id} runs on {session.host}; interrupt it there.")
