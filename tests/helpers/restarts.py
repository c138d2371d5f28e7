"""Sessions that wait for a restart of their Claude Code."""

from __future__ import annotations

import json

from tests.helpers.sandbox import Json, Sandbox, eventually


def restarted(sandbox: Sandbox, session_id: str) -> Json:
    """The session once it waits to be started again."""
    eventually(lambda: sandbox.sql("SELECT restarts FROM sessions WHERE id = ?", session_id)[0][0], "a restart")
    return sandbox.show(session_id)


def hurry(sandbox: Sandbox, session_id: str) -> None:
    """Makes what the session waits for due: nobody has to sit through the pause."""
    (stored,) = sandbox.sql("SELECT restarts FROM sessions WHERE id = ?", session_id)[0]
    sandbox.sql(
        "UPDATE sessions SET restarts = ? WHERE id = ?",
        json.dumps([{**restart, "due": 0} for restart in json.loads(stored)]),
        session_id,
    )
    sandbox.files(session_id).wake_signal.touch()
