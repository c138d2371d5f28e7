"""Whose turn it is to start, in each account that is closed or reopening."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hldctl.states import Status, WaitReason
from hldctl.store.admission.entries import Entry
from hldctl.store.admission.limits import Gate, account_of

# A probe without an answer for this long does not hold up the others: it may hang.
_PROBE_MS = 600_000
# Time between two launches that probe a refused login although nobody waits for their result.
_LOGIN_PROBE_MS = 900_000


class Turns:
    """The decision which session of each closed account starts next: the oldest one that could start otherwise.

    Entries take their turn in the order of the queue.
    """

    def __init__(self, gates: Mapping[str, Gate], live: Iterable[Entry], now: int) -> None:
        self._gates = gates
        self._now = now
        self._working = {entry.id for entry in live if entry.status != Status.QUEUED} if gates else set[str]()
        self._next: dict[str, str] = {}
        self.login_probe: str | None = None
        """A new session that tries a refused login."""
        self.starting: set[str] = set()
        """The sessions that may start now, of those that have taken a turn, and of the restarts that are due."""

    def gate(self, entry: Entry) -> Gate | None:
        """Return the gate of an entry's account; None if it is open."""
        return self._gates.get(account_of(entry.id, entry.account))

    def next_in(self, account: str) -> str | None:
        """Return the session that starts next in a closed account; None if none waits for it alone."""
        return self._next.get(account)

    def reason(self, entry: Entry) -> WaitReason | None:
        """Return why an account starts no session now; None if it may."""
        gate = self.gate(entry)
        return None if gate is None or gate.is_reopening else gate.wait_reason

    def take(self, entry: Entry) -> WaitReason | None:
        """Let a session take its turn that nothing else holds; return what it waits for, None if it may start now."""
        gate = self.gate(entry)
        if gate is None:
            if entry.restart_due is None or entry.restart_due <= self._now:
                self.starting.add(entry.id)
            return None
        if entry.id in (gate.probe, self.login_probe):
            # The probe may have got a new supervisor, which starts it again.
            self.starting.add(entry.id)
            return None
        if gate.account not in self._next and self._is_ready(entry, gate):
            self._next[gate.account] = entry.id
            if gate.until is not None and gate.until <= self._now and not self.is_probed(gate):
                self.starting.add(entry.id)
                return None
        return gate.wait_reason

    def may_probe_login(self, gate: Gate, *, is_attended: bool) -> bool:
        """Return whether a new launch may try a refused login: if somebody waits for it, or now and then."""
        if gate.until is not None or self.is_probed(gate):
            return False
        return is_attended or abs(self._now - (gate.probed_at or gate.since)) >= _LOGIN_PROBE_MS

    def is_probed(self, gate: Gate) -> bool:
        """Return whether a probe runs of which the others wait for the result."""
        if gate.probe not in self._working:
            return False
        return gate.probed_at is not None and abs(self._now - gate.probed_at) < _PROBE_MS

    def _is_ready(self, entry: Entry, gate: Gate) -> bool:
        """Return whether it waits for its account only, and not for the pause before its own restart."""
        if entry.restart_due is None or entry.waits_for_reset:
            return True
        return entry.restart_due <= max(self._now, gate.until or 0)
