"""The gates of accounts in a sandbox."""

from __future__ import annotations

from typing import Any

from hldctl.rehearsal.script import parse
from tests.helpers.sandbox import Sandbox

AFTER_LIMIT = "say Done.\n"


def limit_script() -> str:
    """Return a script with a usage limit that outlasts the test, however slow the machine is; see `end_limit`."""
    return f"limit 60m\n\n{AFTER_LIMIT}"


def gates(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    """Return the account of each gate, and when it opens."""
    return sandbox.sql("SELECT account, until FROM account_limits")


def held(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    """Return the ids of the sessions that wait for a limit, and until when."""
    return sandbox.sql("SELECT id, limit_until FROM sessions WHERE waiting_for = 'limit' ORDER BY created_at")


def requests(sandbox: Sandbox) -> int:
    """Return how many requests the API has got."""
    assert sandbox.server is not None
    return len(sandbox.server.requests)


def end_limit(sandbox: Sandbox, script: str = AFTER_LIMIT) -> None:
    """End the usage limit in the API, which follows `script` from now on, and open the gate."""
    end_limit_of_api(sandbox, script)
    open_gate(sandbox)


def end_limit_of_api(sandbox: Sandbox, script: str = AFTER_LIMIT) -> None:
    assert sandbox.server is not None
    sandbox.server.script = parse(script)


def open_gate(sandbox: Sandbox) -> None:
    """Move the reset to the past, and wake the session that starts next."""
    sandbox.sql("UPDATE account_limits SET until = 0")
    sandbox.files(held(sandbox)[0][0]).wake_signal.touch()
