"""The budget that a queued session waits for, as its row holds it."""

from __future__ import annotations

from typing import Any, NamedTuple


class BudgetWait(NamedTuple):
    """A budget without room for a session."""

    group: str | None
    """None for the budget of all sessions."""
    period: str
    """A Period."""
    limit_usd: float
    is_spent: bool
    """False if a part of it is only reserved for sessions that run."""
    until: int
    """The end of the period in milliseconds since 1970."""

    @property
    def name(self) -> str:
        """The budget as text, such as `daily $10`."""
        amount = f"{self.period} ${self.limit_usd:,.2f}".removesuffix(".00")
        return amount if self.group is None else f"{amount} of group {self.group}"

    @property
    def state_text(self) -> str:
        """What has happened to it, after its name."""
        return "is spent" if self.is_spent else "is spent or reserved"

    @classmethod
    def from_stored(cls, stored: dict[str, Any] | None) -> BudgetWait | None:
        return None if stored is None else cls(**stored)

    def as_stored(self) -> dict[str, Any]:
        return self._asdict()
