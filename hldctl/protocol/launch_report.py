"""The report that a supervisor sends to the command that started it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from hldctl.errors import ExitCode
from hldctl.states import WaitReason

_MAX_QUOTE_BYTES = 200


@dataclass(frozen=True)
class LaunchReport:
    """A supervisor's report on a launch, one line of JSON: it succeeded, or the error and exit code of its failure."""

    session_id: str
    error: str | None = None
    exit_code: int = 0
    waiting_for: WaitReason | None = None
    """What a queued session waits for; None if it has started."""
    limit_until: int | None = None
    """When the account of a queued session reopens, in milliseconds since 1970; None if that is unknown."""
    running: str | None = None
    """The running session of the same name because of which this one was not started."""
    sharing: Sequence[str] = ()
    """Other sessions that work in the same directory."""
    reduced: Sequence[str] = ()
    """What the session has in place of settings that its launcher may not give."""

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_bytes(cls, line: bytes) -> LaunchReport:
        """Return the report in a line; a report of failure if it holds none, e.g. an error message of Python."""
        try:
            report = cls(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            return cls._from_unexpected_output(line)
        if not report._is_valid():
            return cls._from_unexpected_output(line)
        return replace(report, waiting_for=report.waiting_for and WaitReason(report.waiting_for))

    def _is_valid(self) -> bool:
        return (
            isinstance(self.session_id, str)
            and (self.error is None or isinstance(self.error, str))
            and type(self.exit_code) is int
            and self.waiting_for in (None, *WaitReason)
            and (self.limit_until is None or type(self.limit_until) is int)
            and isinstance(self.sharing, list | tuple)
            and isinstance(self.reduced, list | tuple)
            and (self.running is None or isinstance(self.running, str))
        )

    @classmethod
    def _from_unexpected_output(cls, line: bytes) -> LaunchReport:
        output = line[:_MAX_QUOTE_BYTES].decode("utf-8", errors="replace").strip()
        return cls("", f"Unexpected output from the supervisor: {output!r}.", ExitCode.ENVIRONMENT)
