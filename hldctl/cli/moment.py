"""A moment as a document tells it: to readers anywhere, so in UTC."""

from __future__ import annotations

from dataclasses import dataclass

from hldctl.host.clock import rfc3339


@dataclass(frozen=True)
class Moment:
    milliseconds: int
    """Since 1970."""

    @property
    def iso(self) -> str:
        return rfc3339(self.milliseconds) or ""

    @property
    def day(self) -> str:
        return self.iso[:10]

    @property
    def clock(self) -> str:
        return self.iso[11:19]

    @property
    def words(self) -> str:
        return f"{self.day} {self.iso[11:16]} UTC"
