"""What a supervisor says to the one who started it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hldctl.errors import ExitCode

_LONGEST_QUOTE = 200


@dataclass(frozen=True)
class Report:
    """The supervisor's answer, one line: Claude Code runs, or the sentence and exit code for why it does not."""

    session_id: str
    error: str | None = None
    exit_code: int = 0
    is_queued: bool = False
    running: str | None = None
    """The session in whose favour this one was not started."""
    sharing: Sequence[str] = ()
    """Others that work in the same directory."""

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_bytes(cls, line: bytes) -> Report:
        """What is no report, such as a line that something printed as Python started, is one of that failure."""
        try:
            report = cls(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            return cls._of_no_report(line)
        return report if report._is_sound() else cls._of_no_report(line)

    def _is_sound(self) -> bool:
        return (
            isinstance(self.session_id, str)
            and (self.error is None or isinstance(self.error, str))
            and type(self.exit_code) is int
            and type(self.is_queued) is bool
            and isinstance(self.sharing, list | tuple)
            and (self.running is None or isinstance(self.running, str))
        )

    @classmethod
    def _of_no_report(cls, line: bytes) -> Report:
        said = line[:_LONGEST_QUOTE].decode("utf-8", errors="replace").strip()
        return cls("", f"The supervisor said what is no report: {said!r}.", ExitCode.ENVIRONMENT)
