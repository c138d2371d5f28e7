"""The configured rules of admission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hldctl.store.budgets.limits import NO_BUDGETS, Budgets


@dataclass(frozen=True)
class Rules:
    """What the configuration allows to run at once on this machine; None for any number."""

    max_running: int | None = None
    groups: Mapping[str, int] = field(default_factory=dict)
    """The number of sessions that may run at once, by group."""
    spread_ms: int = 30_000
    """The time between two starts after a usage limit."""
    budgets: Budgets | None = NO_BUDGETS
    """None if they are unknown: then a session that waits for a budget continues to wait."""

    def has_limit_for(self, group: str | None) -> bool:
        """Return whether a session of this group may have to wait for a slot or a budget."""
        has_budget = self.budgets is not None and self.budgets.apply_to(group)
        return self.max_running is not None or group in self.groups or has_budget
