"""A restart of Claude Code within a session: what the database stores and JSON output shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from hldctl.states import RestartKind
from hldctl.store.session import Session


@dataclass(frozen=True)
class Restart:
    """One more start of Claude Code within a session. Times are milliseconds since 1970."""

    kind: RestartKind
    offset: int
    """The offset in the journal at which the previous run ends."""
    at: int
    """The time of the decision."""
    due: int
    """The time at which Claude Code starts again."""
    reason: str
    """The error that ended the previous run."""
    note: str
    """The note in the conversation: what happens, when, and why."""
    messages: list[dict[str, str]] = field(default_factory=list)
    """The messages that only the transcript of the previous run has, each an object with `id` and `text`."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class FoundMessage(NamedTuple):
    """A message that the previous run had, and was killed before it could report where."""

    id: str
    text: str
    offset: int
    at: int


def load_restarts(session: Session) -> list[Restart]:
    """Return the session's restarts so far, oldest first."""
    return [Restart(**{**stored, "kind": RestartKind(stored["kind"])}) for stored in session.restarts or []]


def load_run_ends(session: Session) -> list[Restart | FoundMessage]:
    """Return what the conversation gets at the ends of runs: the restarts, each with its messages after it."""
    events: list[Restart | FoundMessage] = []
    for restart in load_restarts(session):
        found = [FoundMessage(each["id"], each["text"], restart.offset, restart.at) for each in restart.messages]
        events += [restart, *found]
    return events
