"""The gates of accounts in a sandbox."""

from __future__ import annotations

from typing import Any

from tests.helpers.sandbox import Sandbox


def limit_script(duration: str = "1s") -> str:
    """Return a script with a usage limit."""
    return f"limit {duration}\n\nsay Done.\n"


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


def end_limit(sandbox: Sandbox) -> None:
    """Move the reset to the past, and wake the session that starts next."""
    sandbox.sql("UPDATE account_limits SET until = 0")
    sandbox.files(held(sandbox)[0][0]).wake_signal.touch()
