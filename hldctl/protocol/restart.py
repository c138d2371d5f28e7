"""A restart of Claude Code within a session, as the database stores it and as readers see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from hldctl.store.session import Session


class RestartKind(StrEnum):
    RETRY = "retry"
    RESET = "reset"


@dataclass(frozen=True)
class Restart:
    """One more start of Claude Code within a session. Times are milliseconds since 1970."""

    kind: RestartKind
    offset: int
    """Where the journal of the run before ends."""
    at: int
    """When it was decided."""
    due: int
    reason: str
    """The error that ended the run before."""
    note: str
    """The note in the conversation: what happens, when, and why."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load_restarts(session: Session) -> list[Restart]:
    """Those so far, the oldest first."""
    return [Restart(**{**stored, "kind": RestartKind(stored["kind"])}) for stored in session.restarts or []]
