"""The tries of a session's check: what the database stores, and how the conversation shows them."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from hldctl.store.session import Session


class CheckTry(NamedTuple):
    """One run of the check. Times are milliseconds since 1970."""

    restarts: int
    """The number of restarts before the run of Claude Code that it checks."""
    offset: int
    """The offset in the journal at which that run ends."""
    began_at: int
    ended_at: int | None = None
    exit_code: int | None = None
    """None while it runs, and if it could not be started."""
    passed: bool | None = None
    """None while it runs, and if it was stopped."""
    note: str = ""
    """The note in the conversation."""


class CheckRecord(NamedTuple):
    """All tries of a session's check."""

    tries: tuple[CheckTry, ...] = ()
    """Oldest first; only the last one can be running."""
    began_at: int | None = None
    """When the running try began; None if none runs."""
    claude_exit_code: int | None = None
    """The exit code of the Claude Code that is checked: another supervisor would not see it."""
    output: str | None = None
    """The output of the last try that ended, cut in the middle."""
    error: str | None = None
    """Why the session failed, if it failed because of the check."""

    @property
    def failures(self) -> int:
        return sum(each.passed is False for each in self.tries)

    def current_try(self, restarts: int) -> CheckTry | None:
        """Return the try of the run of Claude Code after this many restarts; None if it has yet to begin."""
        last = self.tries[-1] if self.tries else None
        return last if last is not None and last.restarts == restarts else None

    def with_try(self, latest: CheckTry) -> CheckRecord:
        """Return a copy in which this is the last try: a new one, or another state of the last one."""
        is_known = self.current_try(latest.restarts) is not None
        earlier = self.tries[:-1] if is_known else self.tries
        return self._replace(tries=(*earlier, latest), began_at=latest.began_at if latest.ended_at is None else None)

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"tries": [each._asdict() for each in self.tries]}


def load_record(session: Session) -> CheckRecord:
    """Return the tries of the session's check so far."""
    if session.check_state is None:
        return CheckRecord()
    stored = dict(session.check_state)
    return CheckRecord(**stored | {"tries": tuple(CheckTry(**each) for each in stored["tries"])})


def last_word(session: Session) -> CheckTry | None:
    """Return the try that Claude Code was not restarted after: it needs a note of its own. None if there is none."""
    if session.check_state is None:
        return None
    latest = load_record(session).current_try(len(session.restarts or ()))
    return latest if latest is not None and latest.ended_at is not None else None


def output_message_id(session_id: str, number: int) -> str:
    """Return the id of the message with the output of a try. Its version, 8, differs from those of other messages."""
    digits = uuid.uuid5(uuid.UUID(session_id), f"check {number}").hex
    return str(uuid.UUID(digits[:12] + "8" + digits[13:]))
