"""The transactions of a session's check: a try begins, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hldctl.states import Status
from hldctl.store import messages, sessions
from hldctl.store.connection import execute, transaction
from hldctl.store.session import encode_value
from hldctl.system.processes import ProcessIdentity


class Output(NamedTuple):
    """The message with the output of a check."""

    message_id: str
    text: str


def begin_try(session_id: str, record: dict[str, Any], left_running: Sequence[ProcessIdentity], now: int) -> None:
    """Record that a check is about to run, and the processes that Claude Code left running before it."""
    with transaction():
        # It came when Claude Code was about to end.
        sessions.forget_stall(session_id)
        row = execute(
            "SELECT 1 FROM sessions WHERE id = ? AND (status = ? OR (status = ? AND interrupt_requested_at IS NULL))",
            (session_id, str(Status.IDLE), str(Status.INTERRUPTING)),
        ).fetchone()
        if row is not None:
            sessions.wake(session_id, now)
        processes = [(process.pid, process.started) for process in left_running]
        execute(
            "UPDATE sessions SET check_state = ?, left_running = ?, last_activity_at = max(last_activity_at, ?)"
            " WHERE id = ? AND completed_at IS NULL",
            (encode_value("check_state", record), encode_value("left_running", processes or None), now, session_id),
        )
        messages.reopen_for_check(session_id)


def end_try(session_id: str, record: dict[str, Any]) -> None:
    """Record how a try ended after which the session ends."""
    with transaction():
        _save(session_id, record)


def end_passed_try(session_id: str, record: dict[str, Any]) -> bool:
    """Record a try that passed; return False, and record nothing, if a message waits for the session."""
    with transaction():
        is_over = messages.begin_closing_after_check(session_id)
        if is_over:
            _save(session_id, record)
        return is_over


def restart_after_try(
    session_id: str, record: dict[str, Any], restarts: list[dict[str, Any]], output: Output | None, now: int
) -> None:
    """Record how a try ended after which Claude Code continues, and the output that it gets, if any."""
    with transaction():
        _save(session_id, record)
        if output is not None:
            messages.add_check_output(output.message_id, session_id, output.text, now)
        sessions.mark_restarting(session_id, restarts, now)


def _save(session_id: str, record: dict[str, Any]) -> None:
    execute("UPDATE sessions SET check_state = ? WHERE id = ?", (encode_value("check_state", record), session_id))
