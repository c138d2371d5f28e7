"""Whether a Claude Code that failed is started again, and when: after API errors, crashes and limits that will end."""

from __future__ import annotations

import signal

from hldctl.claude import login
from hldctl.ingest.state import FoldState
from hldctl.protocol.restart import Restart, RestartKind, load_restarts
from hldctl.states import EndReason, Status
from hldctl.store.session import Session
from hldctl.store.sessions import Ending
from hldctl.supervisor.claude_process import Exit
from hldctl.system.clock import rfc3339

_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 300.0
_SPREAD = 0.25
"""So that twenty sessions that failed at once do not come back at once."""
_RESET_MARGIN_MS = 10_000
"""Clocks differ, and so do those of the servers."""
_LONGEST_RESET_MARGIN_MS = 3_600_000
_IN_VAIN_MS = 60_000
"""A limit that is met again so soon after it was to be reset was not."""
_PASSING = (408, 409, 429)
"""Of the API's refusals those that the same request may not meet again, like the server's own errors."""
_SERVER_ERROR = 500
_CRASHES = (
    signal.SIGKILL,
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGTRAP,
)
"""SIGKILL: who runs out of memory gets it. A SIGTERM is somebody's wish."""


def after(session: Session, ending: Ending, fold: FoldState, exit: Exit, now: int) -> Restart | None:
    """The restart that the session's terms grant it after this end; None if it has ended for good."""
    if ending.status is not Status.FAILED:
        return None
    reason = ending.error_message or ending.reason
    if session.wait_for_reset and ending.reason is EndReason.API_ERROR and fold.limit_resets_at is not None:
        due = max(fold.limit_resets_at, now) + _margin_ms(load_restarts(session), now)
        note = f"A limit was reached; Claude Code continues at {rfc3339(due)}, after its reset: {reason}"
        return Restart(RestartKind.RESET, fold.offset, now, due, reason, note)
    tried = sum(restart.kind is RestartKind.RETRY for restart in load_restarts(session))
    # Where no Claude Code has run the launch was told that it failed, and may have been repeated.
    if tried >= session.retries or session.pid is None or not _may_pass(ending, fold, exit):
        return None
    pause = _pause(tried)
    note = f"Claude Code restarts in {pause:.0f} s (retry {tried + 1} of {session.retries}): {reason}"
    return Restart(RestartKind.RETRY, fold.offset, now, now + int(pause * 1000), reason, note)


def _margin_ms(restarts: list[Restart], now: int) -> int:
    """Longer each time that a reset has brought nothing: a moment that has passed can be named again and again."""
    in_vain = 0
    for restart in reversed(restarts):
        if restart.kind is not RestartKind.RESET or now - restart.due > _IN_VAIN_MS:
            break
        in_vain, now = in_vain + 1, restart.at
    return int(min(_RESET_MARGIN_MS * 2**in_vain, _LONGEST_RESET_MARGIN_MS))


def _may_pass(ending: Ending, fold: FoldState, exit: Exit) -> bool:
    """Whether the failure is one that the next try may not meet."""
    if ending.reason is EndReason.API_ERROR:
        status = None if fold.outcome is None else fold.outcome.api_error_status
        if status is None:
            return not login.is_missing(fold.result_content, status)
        return status in _PASSING or status >= _SERVER_ERROR
    if ending.reason is EndReason.KILLED:
        return exit.signal in _CRASHES
    if ending.reason is EndReason.ERROR and exit.code is not None:
        # Before it begins, Claude Code exits for what is wrong with its words; from then on, for what is wrong with it.
        return exit.code < 0 or (fold.outcome is None and fold.claude_session_id is not None)
    return ending.reason in (EndReason.NO_RESULT, EndReason.LOST)


def _pause(tried: int) -> float:
    """Seconds before the next try."""
    # Only here: it brings hashlib's and math's heavier parts.
    import random

    pause = min(_FIRST_PAUSE_SECONDS * 2.0**tried, _LONGEST_PAUSE_SECONDS)
    return pause * (1 + random.uniform(0, _SPREAD))  # noqa: S311  no secret
