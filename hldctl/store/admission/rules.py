"""The configured rules of admission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hldctl.store.budgets.limits import NO_BUDGETS, Budgets

DEFAULT_LAUNCH_DEPTH = 3
DEFAULT_LAUNCHED = 20


@dataclass(frozen=True)
class Rules:
    """What the configuration allows to run at once on this machine; None for any number."""

    max_running: int | None = None
    groups: Mapping[str, int] = field(default_factory=dict)
    """The number of sessions that may run at once, by group."""
    spread_ms: int = 30_000
    """The time between two starts after a usage limit."""
    max_launch_depth: int = DEFAULT_LAUNCH_DEPTH
    """How many levels of sessions may be below one that a person launched."""
    max_launched: int = DEFAULT_LAUNCHED
    """How many sessions launched within that one, at all levels, may not have ended."""
    budgets: Budgets | None = NO_BUDGETS
    """None if they are unknown: then a session that waits for a budget continues to wait."""

    def has_limit_for(self, group: str | None) -> bool:
        """Return whether a session of this group may have to wait for a slot or a budget."""
        has_budget = self.budgets is not None and self.budgets.apply_to(group)
        return self.max_running is not None or group in self.groups or has_budget
