"""The statuses of sessions, and waiting for one of them."""

from __future__ import annotations

import json

from tests.helpers.sandbox import Sandbox, eventually

WAITING_SCRIPT = """
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done; echo out"}

say Done.
"""


ALLOW_BASH = ("--allowed-tools", "Bash")


def statuses(sandbox: Sandbox) -> dict[str, str]:
    """Return the status of each session by its ID."""
    return {session["id"]: session["status"] for session in json.loads(sandbox.ok("ls", "--json"))}


def wait_for_status(sandbox: Sandbox, session_id: str, status: str) -> None:
    """Wait until the session has this status."""
    eventually(lambda: statuses(sandbox)[session_id] == status, f"{session_id} to be {status}")
