"""Check of this machine's part in a fleet. The server is not asked: the link notes why it cannot write."""

from __future__ import annotations

from hldctl.doctor.check import Finding, Findings, Level, ok_finding
from hldctl.errors import HldctlError
from hldctl.paths import StateDirectory
from hldctl.protocol import link
from hldctl.store.database import open_for_reading


def examine(state: StateDirectory) -> Findings:
    if not state.fleet.has_joined:
        return
    try:
        with open_for_reading(state):
            late = link.count_late(state)
            link.start_if_late(state)
    except HldctlError:
        # The database has a finding of its own.
        return
    waiting = f"; {late} changes are not in the record yet" if late else ""
    try:
        problem = state.fleet.problem.read_text().strip()
    except OSError:
        yield ok_finding("fleet", f"this machine has joined one{waiting}")
    else:
        advice = "Sessions do not depend on it; the link sends what is missing once that is solved."
        yield Finding("fleet", Level.WARNING, f"{problem.rstrip('.')}{waiting}", advice)
