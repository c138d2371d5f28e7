"""A closed account as one line of text."""

from __future__ import annotations

from hldctl.cli.output import one_line
from hldctl.cli.render.format import abbreviate_home, time_of_day
from hldctl.states import GateKind
from hldctl.store.admission.limits import Gate


def gate_line(gate: Gate) -> str:
    """Return until when an account is closed, which one it is, and Claude Code's reason."""
    account = " ".join(map(abbreviate_home, one_line(gate.account).split(" ")))
    return f"{_state(gate)}: {account}: {one_line(gate.reason)}"


def _state(gate: Gate) -> str:
    if gate.is_reopening:
        return "limit over, sessions start one by one"
    if gate.probe is not None:
        return f"{'limit' if gate.kind == GateKind.USAGE else 'login'} being tried by {gate.probe[:8]}"
    if gate.kind == GateKind.AUTH:
        return f"login refused since {time_of_day(gate.since)}"
    return "limit" if gate.until is None else f"limit until {time_of_day(gate.until)}"
