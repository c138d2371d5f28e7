"""What a command and a supervisor say about a session that cannot start because of another one."""

from __future__ import annotations

from hldctl.states import Status
from hldctl.store.admission.predecessors import Fault


def refusal_message(fault: Fault) -> str:
    """Return the error message for a launch after such a session."""
    if fault.status is None:
        return f"{_subject(fault)}, so nothing can start after it."
    return (
        f"{_subject(fault)}, so a session --after it can never start; use --after-any to start when it has ended, "
        "however it ended."
    )


def failure_message(fault: Fault) -> str:
    """Return the error message of a session that was to start after it."""
    if fault.via is None:
        return f"{_subject(fault)}, and this session was to start after it."
    return f"{_subject(fault)}, so {fault.via} could not start, and this session was to start after that."


def _subject(fault: Fault) -> str:
    name = "" if fault.name is None else f" ({fault.name})"
    session = f"Session {fault.id}{name}"
    if fault.status is None:
        return f"{session} was deleted"
    if fault.status is Status.INTERRUPTED:
        return f"{session} was interrupted"
    return f"{session} failed ({fault.end_reason or 'unknown reason'})"
