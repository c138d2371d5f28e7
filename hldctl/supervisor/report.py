"""What a supervisor says to the one who started it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Report:
    """The supervisor's answer, one line: Claude Code runs, or the sentence and exit code for why it does not."""

    session_id: str
    error: str | None = None
    exit_code: int = 0

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_bytes(cls, line: bytes) -> Report:
        return cls(**json.loads(line))
