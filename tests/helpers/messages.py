"""Sessions to which messages are sent while a tool runs."""

from __future__ import annotations

from tests.helpers.sandbox import GATED_SCRIPT, Sandbox


def launch_gated(sandbox: Sandbox, *arguments: str, script: str = GATED_SCRIPT) -> str:
    """Launch a session whose tool runs until `sandbox.release`."""
    sandbox.serve_script(script)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash", *arguments)
    sandbox.wait_for_journal(session_id, "go-on")
    return session_id


def user_messages(sandbox: Sandbox, session_id: str) -> list[str]:
    """Return the user's messages in the conversation."""
    events = sandbox.events(session_id)
    return [event["content"] for event in events if (event["event_type"], event["role"]) == ("message", "user")]
