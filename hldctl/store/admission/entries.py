"""The sessions that have not ended, as admission sees them."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.states import Status
from hldctl.store.connection import execute
from hldctl.system.processes import is_this_machine


class Entry(NamedTuple):
    """A session that has not ended."""

    id: str
    name: str | None
    group: str | None
    status: str
    host: str
    boot_id: str | None
    waiting_for: str | None
    max_budget_usd: float | None = None
    cost_usd: float | None = None
    rehearsed: bool = False
    waiting_budget: str | None = None
    """What it waits for if that is a budget, as JSON."""

    @property
    def is_here(self) -> bool:
        """True if it runs, or will run, on this machine."""
        return is_this_machine(self.host, self.boot_id)


def load_entries() -> list[Entry]:
    """Return the sessions that have not ended, oldest first."""
    rows = execute(
        # An idle session with a message waits for a slot, as a queued one does.
        "SELECT id, name, group_name, iif(status = 'idle' AND pending_messages > 0, 'queued', status), host, boot_id,"
        " waiting_for, max_budget_usd, cost_usd, rehearsed, waiting_budget"
        " FROM sessions WHERE completed_at IS NULL"
        " ORDER BY created_at, rowid"
    )
    return [Entry(*row) for row in rows]


def queued_ids() -> list[str]:
    """Return the ids of the queued sessions, oldest first."""
    return [entry.id for entry in load_entries() if entry.status == Status.QUEUED]


def ids_with_name(name: str | None) -> list[str]:
    """Return the ids of the sessions with this name that have not ended, oldest first; none if `name` is None."""
    return [entry.id for entry in load_entries() if name is not None and entry.name == name]
