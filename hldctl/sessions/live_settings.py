"""Settings that a running Claude Code changes itself: its model and its permission mode."""

from __future__ import annotations

from hldctl.errors import TimedOut, WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup, send
from hldctl.states import InputKind, Status

# Claude Code 2.1.332 confirms within a few milliseconds, also while a tool runs.
_MAX_WAIT_SECONDS = 10.0


def change(state: StateDirectory, session_id: str, kind: InputKind, value: str) -> None:
    """Have the Claude Code of a session change a setting, and wait until it has; do nothing if none runs.

    Raise WrongState if Claude Code refuses, and TimedOut if it does not confirm. Needs an open database.
    """
    session = lookup.find_session(session_id)
    if session.completed_at is not None or session.status == Status.QUEUED:
        return
    try:
        request = send.request(state, session_id, kind, value)
        if session.status == Status.STARTING:
            # It may wait for hours until it is restarted.
            return
        answered = send.wait_until_answered(state, request, _MAX_WAIT_SECONDS)
    except WrongState:
        # It has ended.
        return
    except TimedOut:
        raise TimedOut(
            f"Claude Code in session {session_id[:8]} has not confirmed {_option(kind)} {value} within "
            f"{_MAX_WAIT_SECONDS:.0f} s."
        ) from None
    if answered.answer is not None:
        reason = answered.answer.strip().removesuffix(".")
        raise WrongState(f"Claude Code in session {session_id[:8]} refused {_option(kind)} {value}: {reason}.")


def _option(kind: InputKind) -> str:
    return f"--{kind.replace('_', '-')}"
