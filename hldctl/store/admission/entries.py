"""The sessions that have not ended, as admission sees them."""

from __future__ import annotations

from typing import NamedTuple

from hldctl.states import Status
from hldctl.store.admission.predecessors import NO_PREDECESSORS, Prospect, find_prospects
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
    account: str | None = None
    restart_due: int | None = None
    """When Claude Code starts again, in milliseconds since 1970; None if it runs or has not run yet."""
    waits_for_reset: bool = False
    """True if it waits for the reset of a usage limit."""
    max_budget_usd: float | None = None
    cost_usd: float | None = None
    rehearsed: bool = False
    waiting_budget: str | None = None
    """What it waits for if that is a budget, as JSON."""
    launched_by: str | None = None
    prospect: Prospect = NO_PREDECESSORS
    """What the predecessors of a queued session allow."""

    @property
    def is_here(self) -> bool:
        """True if it runs, or will run, on this machine."""
        return is_this_machine(self.host, self.boot_id)


# The last restart of a session whose Claude Code has exited and will be started again.
_LAST_RESTART = "iif(status = 'starting' AND pid IS NULL, json_extract(restarts, '$[#-1].{}'), NULL)"


def load_entries() -> list[Entry]:
    """Return the sessions that have not ended, oldest first."""
    rows = execute(
        # An idle session with a message waits for a slot, as a queued one does.
        "SELECT id, name, group_name, iif(status = 'idle' AND pending_messages > 0, 'queued', status), host, boot_id,"
        f" waiting_for, account, {_LAST_RESTART.format('due')}, {_LAST_RESTART.format('kind')} IS 'reset',"
        " max_budget_usd, cost_usd, rehearsed, waiting_budget, launched_by,"
        " iif(status = 'queued', after, NULL)"
        " FROM sessions WHERE completed_at IS NULL"
        " ORDER BY created_at, rowid"
    ).fetchall()
    prospects = find_prospects({row[0]: row[-1] for row in rows if row[-1] is not None})
    return [Entry._make((*row[:-1], prospects.get(row[0], NO_PREDECESSORS))) for row in rows]


def has_waiting() -> bool:
    """Return whether any session waits: in the queue, for its restart, or idle with a message."""
    query = (
        "SELECT EXISTS (SELECT 1 FROM sessions WHERE completed_at IS NULL"
        " AND (pid IS NULL OR status = 'idle' AND pending_messages > 0))"
    )
    return bool(execute(query).fetchone()[0])


def queued_ids() -> list[str]:
    """Return the ids of the queued sessions, oldest first."""
    return [entry.id for entry in load_entries() if entry.status == Status.QUEUED]


def ids_with_name(name: str | None) -> list[str]:
    """Return the ids of the sessions with this name that have not ended, oldest first; none if `name` is None."""
    return [entry.id for entry in load_entries() if name is not None and entry.name == name]
