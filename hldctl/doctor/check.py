"""What an examination finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Nothing is wrong, but it may surprise."""
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    level: Level
    message: str
    advice: str | None = None
    """What to do about it, where something is to be done."""
    fix: Callable[[], str | None] | None = field(default=None, repr=False)
    """Does it, where that is safe, and says what is to be known of it; may raise HldctlError or OSError."""
    fixed: bool = False

    @property
    def is_open(self) -> bool:
        return self.level is Level.ERROR and not self.fixed


Findings = Iterator[Finding]


def fine(subject: str, message: str) -> Finding:
    return Finding(subject, Level.OK, message)
