"""Permission requests of a session under test."""

from __future__ import annotations

import json

from tests.helpers.sandbox import Json, Sandbox, eventually

THEN_TOUCH = 'call Bash {"command": "touch made; echo out"}\n\n'


THEN_WRITE = 'call Write {"file_path": "made", "content": "text"}\n\n'


BASH = f"{THEN_TOUCH}say Done."


def asking(sandbox: Sandbox, script: str, *arguments: str) -> str:
    sandbox.play(script)
    return sandbox.launch("Hi", "--approvals", *arguments)


def waiting(sandbox: Sandbox, session_id: str | None = None, count: int = 1) -> list[Json]:
    """The requests that wait, once there are as many."""

    def look() -> list[Json]:
        found: list[Json] = json.loads(sandbox.ok("approvals", "--json", *([session_id] if session_id else [])))
        return found if len(found) >= count else []

    return eventually(look, f"{count} requests")


def asked(sandbox: Sandbox) -> list[Json]:
    """All requests there ever were."""
    found: list[Json] = json.loads(sandbox.ok("approvals", "--all", "--json"))
    return found


def feed(sandbox: Sandbox, *types: str) -> list[Json]:
    options = [word for name in types for word in ("--type", name)]
    return [json.loads(line) for line in sandbox.ok("events", "--json", *options).splitlines()]


def by_type(sandbox: Sandbox, session_id: str, event_type: str) -> list[Json]:
    return [event for event in sandbox.events(session_id) if event["event_type"] == event_type]


REQUEST = json.dumps({"tool_name": "Bash", "tool_input": {"command": "ls"}})
