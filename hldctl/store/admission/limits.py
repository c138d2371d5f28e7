"""The gates of the accounts that the API refuses: a row for each closed account, which all its sessions obey.

A usage limit closes the gate until its reset. Then one session, the probe, starts; the others follow, spread over time,
once it has an answer. A refused login closes the gate until a login works.
"""

from __future__ import annotations

from typing import NamedTuple

from hldctl.states import GateKind, Status, WaitReason
from hldctl.store.connection import execute, transaction

# Allowance for clock differences, also between the servers.
_RESET_MARGIN_MS = 10_000
# A limit of which Claude Code does not say when it ends. The next probe costs one request.
_UNKNOWN_RESET_MS = 300_000
# Both grow with each probe that is refused, up to this.
_MAX_PAUSE_MS = 3_600_000
# The longest limit known is a month. A later time comes from a wrong clock.
_MAX_LIMIT_MS = 35 * 86_400_000


class Gate(NamedTuple):
    """A closed account. Times are milliseconds since 1970."""

    account: str
    kind: str
    """A GateKind."""
    until: int | None
    """When the next session may start; None if no time is known."""
    reason: str
    """Claude Code's message."""
    since: int
    session_id: str
    """The session that was refused."""
    probe: str | None
    """The session that has started to see whether the API accepts requests again."""
    probed_at: int | None
    refusals: int
    """How many probes in a row were refused, and the first session."""
    is_reopening: bool
    """True if the probe had an answer, and the other sessions are starting one by one."""

    @property
    def wait_reason(self) -> WaitReason:
        return WaitReason.LIMIT if self.kind == GateKind.USAGE else WaitReason.LOGIN


class Refusal(NamedTuple):
    """The API's refusal of a session."""

    kind: GateKind
    reason: str
    resets_at: int | None
    """When it ends, in milliseconds since 1970; None if unknown."""


def account_of(session_id: str, account: str | None) -> str:
    """Return the account of a session; one of an older version has an account of its own."""
    return account or session_id


def load(now: int) -> dict[str, Gate]:
    """Return the gates by account. Needs a transaction.

    If the clock was set back to before a gate closed, the gate keeps its length from now on: it must not stay closed
    for the time by which the clock was wrong.
    """
    gates = list_gates()
    if any(gate.since > now for gate in gates):
        execute(
            "UPDATE account_limits SET until = min(until, until - since + :now), probed_at = NULL, since = :now"
            " WHERE since > :now",
            {"now": now},
        )
        gates = list_gates()
    return {gate.account: gate for gate in gates}


def list_gates() -> list[Gate]:
    """Return all gates, oldest first."""
    return [
        Gate._make((*row[:-1], bool(row[-1])))
        for row in execute(f"SELECT {', '.join(Gate._fields)} FROM account_limits ORDER BY since, account")
    ]


def find(account: str) -> Gate | None:
    """Return the gate of an account; None if it is open."""
    return next((gate for gate in list_gates() if gate.account == account), None)


def close(session_id: str, account: str, refusal: Refusal, now: int) -> Gate:
    """Close the gate of an account after a refusal, and return it."""
    with transaction():
        gate = find(account)
        refusals, since, first_id = 1, now, session_id
        if gate is not None and gate.kind == refusal.kind and not gate.is_reopening:
            # A session that started before the gate closed says the same as the first one.
            is_later = gate.probe == session_id or (gate.until is not None and gate.until <= now)
            is_same_limit = refusal.resets_at is None or gate.until is None or refusal.resets_at <= gate.until
            refusals = gate.refusals + is_later if is_same_limit else 1
            since, first_id = gate.since, gate.session_id
            if not is_later and refusal.resets_at is None:
                _hold(gate)
                return gate
        until = None if refusal.kind is GateKind.AUTH else _reopening_time(refusal.resets_at, refusals, now)
        if until is not None and gate is not None and gate.until is not None:
            # Of two limits, the later one holds.
            until = max(until, gate.until)
        probed_at = now if refusal.kind is GateKind.AUTH else None
        row = (account, str(refusal.kind), until, refusal.reason, since, first_id, None, probed_at, refusals, False)
        closed = Gate._make(row)
        execute(f"INSERT OR REPLACE INTO account_limits VALUES ({', '.join('?' * len(row))})", row)
        _hold(closed)
    return closed


def _reopening_time(resets_at: int | None, refusals: int, now: int) -> int:
    """Return when a probe may start; later after each refused one, since the API can repeat a time in the past."""
    factor: int = 1 << min(refusals - 1, 20)
    if resets_at is None:
        return now + min(_UNKNOWN_RESET_MS * factor, _MAX_PAUSE_MS)
    return min(max(resets_at, now), now + _MAX_LIMIT_MS) + min(_RESET_MARGIN_MS * factor, _MAX_PAUSE_MS)


def _hold(gate: Gate) -> None:
    """Record at all sessions that wait for their account what they wait for. Needs a transaction."""
    execute(
        "UPDATE sessions SET waiting_for = ?, limit_until = ? WHERE completed_at IS NULL AND account = ?"
        " AND pid IS NULL AND (status = ? AND waiting_for IS NOT ? OR status = ? AND restarts IS NOT NULL)",
        (
            *(str(gate.wait_reason), gate.until, gate.account),
            *(str(Status.QUEUED), str(WaitReason.NAME), str(Status.STARTING)),
        ),
    )


def hold(session_id: str, account: str) -> None:
    """Record what a session that will be restarted waits for: it is not the probe now. Needs a transaction."""
    execute("UPDATE account_limits SET probe = NULL WHERE probe = ?", (session_id,))
    if (gate := find(account)) is not None:
        _hold(gate)


def begin_probe(account: str, session_id: str, now: int) -> None:
    """Record that this session starts first. Needs a transaction."""
    execute(
        "UPDATE account_limits SET probe = ?, probed_at = ? WHERE account = ?",
        (session_id, now, account),
    )


def postpone(account: str, until: int) -> None:
    """Let the next session of an account that reopens start at this time. Needs a transaction."""
    execute("UPDATE account_limits SET until = ? WHERE account = ?", (until, account))


def open_after(account: str, session_id: str, spread_ms: int, now: int) -> bool:
    """Reopen an account after the probe had an answer: its other sessions start one by one, at this distance.

    Return False if this session is not its probe.
    """
    with transaction():
        gate = find(account)
        if gate is None or gate.probe != session_id:
            return False
        waiting = held_ids(account)
        if gate.kind == GateKind.AUTH or not waiting:
            delete(account)
            return True
        until = now + spread_ms
        execute(
            "UPDATE account_limits SET is_reopening = 1, until = ?, probe = NULL, probed_at = NULL WHERE account = ?",
            (until, account),
        )
        for position, waiting_id in enumerate(waiting):
            execute("UPDATE sessions SET limit_until = ? WHERE id = ?", (until + position * spread_ms, waiting_id))
        return True


def delete(account: str) -> None:
    """Open an account at once, for all its sessions. Needs a transaction."""
    execute("DELETE FROM account_limits WHERE account = ?", (account,))
    for session_id in held_ids(account):
        release(session_id)


def lift(account: str, now: int) -> bool:
    """Let a session of a closed account probe now; open the account if none waits. Return False if it is open."""
    with transaction():
        gate = find(account)
        if gate is None:
            return False
        if not held_ids(account):
            delete(account)
            return True
        execute("UPDATE account_limits SET until = ?, probe = NULL, is_reopening = 0 WHERE account = ?", (now, account))
        _hold(gate._replace(until=now))
        return True


def held_ids(account: str) -> list[str]:
    """Return the ids of the sessions that wait for their account, oldest first."""
    rows = execute(
        "SELECT id FROM sessions WHERE completed_at IS NULL AND account = ? AND waiting_for IN (?, ?)"
        " ORDER BY created_at, rowid",
        (account, str(WaitReason.LIMIT), str(WaitReason.LOGIN)),
    )
    return [row[0] for row in rows]


def forget(session_id: str) -> None:
    """Delete the gate of an account that only this session has. Needs a transaction."""
    execute("DELETE FROM account_limits WHERE account = ? OR account = ?", (session_id, f"rehearsal {session_id}"))


def release(session_id: str) -> None:
    """Record that a session does not wait for its account. Needs a transaction."""
    execute("UPDATE sessions SET waiting_for = NULL, limit_until = NULL WHERE id = ?", (session_id,))
