"""A restart of Claude Code within a session, as the database stores it and as readers see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from hldctl.store.session import Session
from hldctl.system.clock import rfc3339


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
    attempt: int | None = None
    """Of a retry, which one it is: 1 for the first."""
    attempts: int | None = None
    """Of a retry, how many the session may have."""

    @property
    def note(self) -> str:
        """The note in the conversation: what happens, when, and why."""
        if self.kind is RestartKind.RESET:
            return f"A limit was reached; Claude Code continues at {rfc3339(self.due)}, after its reset: {self.reason}"
        pause = (self.due - self.at) / 1000
        return f"Claude Code restarts in {pause:.0f} s (retry {self.attempt} of {self.attempts}): {self.reason}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load_restarts(session: Session) -> list[Restart]:
    """Those so far, the oldest first."""
    return [Restart(**{**stored, "kind": RestartKind(stored["kind"])}) for stored in session.restarts or []]
