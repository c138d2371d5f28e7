"""Check of the accounts that the API refuses; the fix lets a session try again now."""

from __future__ import annotations

from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.states import GateKind
from hldctl.store.admission import limits
from hldctl.store.admission.limits import Gate
from hldctl.store.database import open_database, open_for_reading
from hldctl.supervisor.queue.wake import wake_next, wake_startable
from hldctl.system.clock import current_time_ms, format_local_time


def examine(state: StateDirectory) -> Findings:
    try:
        with open_for_reading(state):
            closed = [(gate, len(limits.held_ids(gate.account))) for gate in limits.list_gates()]
    except HldctlError:
        # The database has a finding of its own.
        return
    if not closed:
        yield ok_finding("limits", "no account is held by a usage limit or a refused login")
    for gate, waiting in closed:
        yield _finding(state, gate, waiting)


def _finding(state: StateDirectory, gate: Gate, waiting: int) -> Finding:
    what = "has reached a usage limit" if gate.kind == GateKind.USAGE else "has a login that is refused"
    until = "" if gate.until is None else f" until {format_local_time(gate.until)}"
    count = "1 session waits" if waiting == 1 else f"{waiting} sessions wait"
    message = f"{gate.account} {what} since {format_local_time(gate.since)}{until}; {count}: {gate.reason}"
    login = "" if gate.kind == GateKind.USAGE else "Log in again, then run"
    return Finding(
        "limits",
        Level.WARNING,
        message,
        f"{login or 'Wait, or run'} `hldctl doctor --fix`: it lets a session try now, and the others follow it.",
        lambda: _lift(state, gate.account),
    )


def _lift(state: StateDirectory, account: str) -> None:
    with open_database(state):
        limits.lift(account, current_time_ms())
        wake_next(state, account)
        wake_startable(state)
