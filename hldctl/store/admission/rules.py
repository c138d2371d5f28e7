"""The configured rules of admission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rules:
    """What the configuration allows to run at once on this machine; None for any number."""

    max_running: int | None = None
    groups: Mapping[str, int] = field(default_factory=dict)
    """The number of sessions that may run at once, by group."""
    spread_ms: int = 30_000
    """The time between two starts after a usage limit."""

    def has_limit_for(self, group: str | None) -> bool:
        """Return whether a session of this group may have to wait for a slot."""
        return self.max_running is not None or group in self.groups
