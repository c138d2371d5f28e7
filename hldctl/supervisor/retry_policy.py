"""Retry policy: whether and when Claude Code restarts after an API error, a crash or a rate limit."""

from __future__ import annotations

import signal

from hldctl.claude import login
from hldctl.ingest.state import ReducerState
from hldctl.protocol.restart import Restart, load_restarts
from hldctl.states import EndReason, RestartKind, Status
from hldctl.store.session import Session
from hldctl.store.sessions import Ending
from hldctl.supervisor.claude_process import Exit
from hldctl.system.clock import format_rfc3339

_FIRST_PAUSE_SECONDS = 5.0
_MAX_PAUSE_SECONDS = 300.0
# Relative jitter, so that twenty sessions that failed at the same time do not restart at the same time.
_JITTER = 0.25
# HTTP status codes of the API after which the same request may succeed, as it may after a server error.
_TRANSIENT_STATUSES = (408, 409, 429)
_SERVER_ERROR = 500
# SIGKILL is what the kernel sends when memory runs out. SIGTERM is not a crash but somebody's intent.
_CRASH_SIGNALS = (
    signal.SIGKILL,
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGTRAP,
)


_VANISHED = Ending(
    Status.FAILED, EndReason.LOST, "Claude Code ended while it had no supervisor, and the session is kept open."
)


def next_restart(
    session: Session, ending: Ending, state: ReducerState, exit: Exit, now: int, limit_until: int | None
) -> Restart | None:
    """Return the restart that the session's run policy allows after this ending; None if the session has ended.

    `now` is milliseconds since 1970, and so is `limit_until`, when the session's account reopens after the usage limit
    that has ended the session; None if none has.
    """
    if _has_vanished(session, ending, exit):
        ending = _VANISHED
    if ending.status is not Status.FAILED:
        return None
    reason = ending.error_message or ending.reason
    if session.wait_for_reset and ending.reason is EndReason.API_ERROR and limit_until is not None:
        when = "after its reset" if state.limit_resets_at is not None else "since its reset is unknown"
        note = f"A limit was reached; Claude Code continues at {format_rfc3339(limit_until)}, {when}: {reason}"
        return Restart(RestartKind.RESET, state.offset, now, limit_until, reason, note)
    retries_so_far = sum(restart.kind is RestartKind.RETRY for restart in load_restarts(session))
    # If Claude Code never ran, the launch reported a failure and may have been repeated by the user.
    if retries_so_far >= session.retries or session.pid is None or not _is_transient(ending, state, exit):
        return None
    if is_budget_spent(session):
        return None
    pause_seconds = _pause_seconds(retries_so_far)
    due = now + int(pause_seconds * 1000)
    note = f"Claude Code restarts in {pause_seconds:.0f} s (retry {retries_so_far + 1} of {session.retries}): {reason}"
    return Restart(RestartKind.RETRY, state.offset, now, due, reason, note)


def _has_vanished(session: Session, ending: Ending, exit: Exit) -> bool:
    """Return whether Claude Code has ended although the session is kept open, and its own supervisor was dead.

    It was killed, or has ended by itself: without a supervisor and its guard, its input is closed.
    """
    is_unseen = exit.code is None or exit.is_of_adopted
    return session.keep_open and not session.is_closing and ending.status is Status.COMPLETED and is_unseen


def is_budget_spent(session: Session) -> bool:
    """Return whether nothing is left of the session's budget for another run of Claude Code."""
    budget, cost = session.max_budget_usd, session.cost_usd
    return budget is not None and cost is not None and cost >= budget


def _is_transient(ending: Ending, state: ReducerState, exit: Exit) -> bool:
    """Return whether a retry may succeed."""
    if ending.reason is EndReason.API_ERROR:
        status = None if state.outcome is None else state.outcome.api_error_status
        if status is None:
            return not login.is_login_missing(state.result_content, status)
        return status in _TRANSIENT_STATUSES or status >= _SERVER_ERROR
    if ending.reason is EndReason.KILLED:
        return exit.signal in _CRASH_SIGNALS
    if ending.reason is EndReason.ERROR and exit.code is not None:
        # Before its first message, Claude Code exits because of wrong arguments; after it, because of its own fault.
        return exit.code < 0 or (state.outcome is None and state.claude_session_id is not None)
    return ending.reason in (EndReason.NO_RESULT, EndReason.LOST, EndReason.STALLED)


def _pause_seconds(retries_so_far: int) -> float:
    """Return the seconds before the next retry."""
    # Imported here: it loads hashlib and the heavier parts of math.
    import random

    pause_seconds = min(_FIRST_PAUSE_SECONDS * 2.0**retries_so_far, _MAX_PAUSE_SECONDS)
    return pause_seconds * (1 + random.uniform(0, _JITTER))  # noqa: S311  no secret
