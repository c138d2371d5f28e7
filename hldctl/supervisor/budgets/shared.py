"""The budgets that a session shares with the sessions that it launched, or that launched it."""

from __future__ import annotations

from hldctl.ingest.state import ReducerState
from hldctl.store.budgets import launched
from hldctl.store.session import Session


class SharedBudgets:
    """The limits of a session and its launchers, which hold for all that they launched together."""

    def __init__(self, session: Session) -> None:
        own = () if session.max_budget_usd is None else (session.id,)
        self._ids = (*own, *(session.launchers or ()))
        self._seen: tuple[float | None, dict[str, float]] | None = None

    def are_spent(self, state: ReducerState) -> bool:
        """Return whether one of them is spent; only looked at after a cost. Needs an open database."""
        if not self._ids:
            return False
        seen = state.cost_usd, dict(state.estimated_usd)
        if seen == self._seen:
            return False
        self._seen = seen
        return any(map(launched.is_overspent, self._ids))
