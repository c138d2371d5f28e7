"""The findings of `hldctl doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hldctl.contract.finding import Level


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    subject: str
    level: Level
    message: str
    advice: str | None = None
    """What to do about it; None if nothing has to be done."""
    fix: Callable[[], str | None] | None = field(default=None, repr=False)
    """A function that fixes the problem and returns a remark for the user, or None; None without a safe fix.

    May raise HldctlError or OSError.
    """
    fixed: bool = False

    @property
    def is_open(self) -> bool:
        return self.level is Level.ERROR and not self.fixed


Findings = Iterator[Finding]


def ok_finding(subject: str, message: str) -> Finding:
    """Return a finding of level OK."""
    return Finding(subject, Level.OK, message)
