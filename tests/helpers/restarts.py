"""Sessions whose Claude Code will be restarted."""

from __future__ import annotations

import json

from tests.helpers.sandbox import Json, Sandbox, eventually


def wait_for_restart(sandbox: Sandbox, session_id: str) -> Json:
    """Wait until a restart of the session is planned, and return the session."""
    eventually(lambda: sandbox.sql("SELECT restarts FROM sessions WHERE id = ?", session_id)[0][0], "a restart")
    return sandbox.show(session_id)


def skip_delay(sandbox: Sandbox, session_id: str) -> None:
    """Make the planned restart due now, and the end of a usage limit that it waits for."""
    sandbox.sql("UPDATE account_limits SET until = 0")
    (stored,) = sandbox.sql("SELECT restarts FROM sessions WHERE id = ?", session_id)[0]
    sandbox.sql(
        "UPDATE sessions SET restarts = ? WHERE id = ?",
        json.dumps([{**restart, "due": 0} for restart in json.loads(stored)]),
        session_id,
    )
    sandbox.files(session_id).wake_signal.touch()
