"""The configured budgets."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.system.periods import Period

DEFAULT_RESERVE_USD = 2.0


class Limit(NamedTuple):
    """What all sessions, or those of a group, may spend in each period."""

    group: str | None
    """None for all sessions."""
    period: Period
    usd: float

    @property
    def key(self) -> str:
        """The key of the configuration file that sets it."""
        table = "budgets" if self.group is None else f"groups.{self.group}"
        return f"{table}.{self.period}_usd"

    def applies_to(self, group: str | None) -> bool:
        return self.group is None or self.group == group


class Budgets(NamedTuple):
    """All limits, and what a session may spend that has no limit of its own."""

    limits: tuple[Limit, ...] = ()
    reserve_usd: float = DEFAULT_RESERVE_USD

    def apply_to(self, group: str | None) -> bool:
        """Return whether a session of this group may have to wait for a budget."""
        return any(limit.applies_to(group) for limit in self.limits)


NO_BUDGETS = Budgets()
