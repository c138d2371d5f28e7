"""Waiting for sessions, without polling if the system can notify us of changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hldctl.config import schema
from hldctl.config.rules import admission_rules
from hldctl.errors import ExitCode, Interrupted, NoSuchSession, UnfitEnvironment, WrongState
from hldctl.paths import StateDirectory
from hldctl.private_files import ensure_exists
from hldctl.sessions import supervisors
from hldctl.sessions.supervisor_health import SupervisorMonitor
from hldctl.states import EndReason, Status
from hldctl.store import sessions
from hldctl.store.admission import entries, scheduler
from hldctl.store.database import open_for_reading, refresh
from hldctl.store.session import Session
from hldctl.system.watcher import Wakeup

# Claude Code 2.1.332 refuses an argument after 0.3 s, and reports a missing login after 1 s.
_FIRST_SIGN_SECONDS = 5.0

T = TypeVar("T")

_WORST_FIRST = (ExitCode.FAILED, ExitCode.TIMED_OUT, ExitCode.INTERRUPTED, ExitCode.WRONG_STATE)


def wait_for_sessions(
    state: StateDirectory,
    ids: Sequence[str],
    *,
    until: Status | None = None,
    any_of_them: bool = False,
    timeout_seconds: float | None = None,
    attention: SupervisorMonitor | None = None,
    on_look: Callable[[], None] = lambda: None,
) -> list[Session]:
    """Return the sessions once all, or any, have ended or reached `until`, in the order in which they did.

    A session that ends before it reaches `until` counts as well. After the timeout, return those that have done so by
    then. `on_look` is called after each look at the sessions, at least once a second.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    waiting, done = list(dict.fromkeys(ids)), list[str]()
    for session_id in waiting:
        state.session(session_id).require_own_directory()

    def look() -> list[Session] | None:
        done.extend(_done_ids(waiting, until))
        waiting[:] = [session_id for session_id in waiting if session_id not in done]
        is_late = deadline is not None and time.monotonic() >= deadline
        if not waiting or (any_of_them and done) or is_late:
            return [_get_session(session_id) for session_id in done]
        supervisors.adopt_lost(state, waiting)
        if attention is not None:
            attention.replace_unresponsive(waiting)
        on_look()
        return None

    watched = [state.session(session_id).change_signal for session_id in ids]
    return wait_until(look, state, watched, deadline)


def wait_for_conversation(state: StateDirectory, session_id: str, *, or_await_end: bool = False) -> Session:
    """Return the session once Claude Code has begun its conversation, or once it has ended without one.

    Raise WrongState if it is queued, since that may take long. With `or_await_end`, return it at once: the caller will
    use the conversation when the session has ended.
    """

    def look() -> Session | None:
        supervisors.adopt_lost(state, [session_id])
        session = _get_session(session_id)
        if or_await_end:
            return session
        if session.status == Status.QUEUED:
            raise WrongState(f"Session {session_id} is queued; there is nothing to continue yet.")
        return session if session.claude_session_id is not None or session.completed_at is not None else None

    return wait_until(look, state, [state.session(session_id).change_signal])


def wait_for_first_sign(state: StateDirectory, session_id: str, *, until_reply: bool) -> None:
    """Wait until Claude Code has begun its conversation, for at most `_FIRST_SIGN_SECONDS`.

    With `until_reply`, wait for the first reply of the model. Raise UnfitEnvironment if Claude Code fails before that:
    it has refused its arguments, or is not logged in.
    """
    deadline = time.monotonic() + _FIRST_SIGN_SECONDS

    def look() -> Session | None:
        session = _get_session(session_id)
        # A missing login is reported by a message without tokens.
        has_begun = bool(session.input_tokens) if until_reply else session.claude_session_id is not None
        if session.status == Status.FAILED and not has_begun:
            reason = (session.error_message or str(session.end_reason)).strip().removesuffix(".")
            raise UnfitEnvironment(f"Claude Code ended at once: {reason}. The session is recorded as {session_id}.")
        is_over = session.completed_at is not None or bool(session.restarts)
        return session if has_begun or is_over or time.monotonic() > deadline else None

    wait_until(look, state, [state.session(session_id).change_signal])


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
        same_name = entries.ids_with_name(session.name)
        supervisors.adopt_lost(state, same_name)
        attention.replace_unresponsive(same_name)
        return None

    ensure_exists(state.queue_signal)
    wait_until(look, state, [state.session(session_id).change_signal, state.queue_signal])


def _is_waiting_for_slot(session: Session) -> bool:
    if session.status != Status.QUEUED or entries.ids_with_name(session.name)[:1] != [session.id]:
        return False
    return session.id not in scheduler.startable_ids(admission_rules(schema.load()))


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

    wait_until(look, state, [state.session(session_id).change_signal])


def wait_until(
    look: Callable[[], T | None], state: StateDirectory, watched: Sequence[Path], deadline: float | None = None
) -> T:
    """Call `look` now and after each change of these files, and return its first result that is not None.

    It is also called at least once a second, and at the deadline on the monotonic clock.
    """
    # Unlike Path.exists, os.path.exists does not raise for a directory that cannot be searched.
    wakeup = Wakeup([path for path in watched if os.path.exists(path)])
    try:
        with open_for_reading(state):
            while True:
                if (result := look()) is not None:
                    return result
                seconds_left = supervisors.POLL_SECONDS if deadline is None else max(0.0, deadline - time.monotonic())
                wakeup.wait(min(supervisors.POLL_SECONDS, seconds_left))
                refresh(state)
    finally:
        wakeup.close()


def worst_exit_code(ended: Sequence[Session], until: Status | None = None) -> ExitCode:
    """Return the worst of the sessions' exit codes; `until` is the status that was waited for."""
    codes = {session_exit_code(session) for session in ended}
    if until is not None and any(session.status == Status.COMPLETED != until for session in ended):
        codes.add(ExitCode.WRONG_STATE)
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
