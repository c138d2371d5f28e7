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
    """Wait until this many requests are pending, and return them."""

    def find_requests() -> list[Json]:
        requests: list[Json] = json.loads(sandbox.ok("approvals", "--json", *([session_id] if session_id else [])))
        return requests if len(requests) >= count else []

    return eventually(find_requests, f"{count} requests")


def asked(sandbox: Sandbox) -> list[Json]:
    """Return all requests, answered ones too."""
    requests: list[Json] = json.loads(sandbox.ok("approvals", "--all", "--json"))
    return requests


def feed(sandbox: Sandbox, *types: str) -> list[Json]:
    options = [argument for name in types for argument in ("--type", name)]
    return [json.loads(line) for line in sandbox.ok("events", "--json", *options).splitlines()]


def by_type(sandbox: Sandbox, session_id: str, event_type: str) -> list[Json]:
    return [event for event in sandbox.events(session_id) if event["event_type"] == event_type]


REQUEST = json.dumps({"tool_name": "Bash", "tool_input": {"command": "ls"}})
