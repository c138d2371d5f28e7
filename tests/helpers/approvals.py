"""Permission requests of a session under test."""

from __future__ import annotations

import json

from tests.helpers.sandbox import Json, Sandbox, eventually

TOUCH_CALL = 'call Bash {"command": "touch made; echo out"}\n\n'


WRITE_CALL = 'call Write {"file_path": "made", "content": "text"}\n\n'


TOUCH_SCRIPT = f"{TOUCH_CALL}say Done."


def launch_with_approvals(sandbox: Sandbox, script: str, *arguments: str) -> str:
    sandbox.serve_script(script)
    return sandbox.launch("Hi", "--approvals", *arguments)


def wait_for_requests(sandbox: Sandbox, session_id: str | None = None, count: int = 1) -> list[Json]:
    """Wait until this many requests are pending, and return them."""

    def find_requests() -> list[Json]:
        requests: list[Json] = json.loads(sandbox.ok("approvals", "--json", *([session_id] if session_id else [])))
        return requests if len(requests) >= count else []

    return eventually(find_requests, f"{count} requests")


def all_requests(sandbox: Sandbox) -> list[Json]:
    """Return all requests, answered ones too."""
    requests: list[Json] = json.loads(sandbox.ok("approvals", "--all", "--json"))
    return requests


def feed_events(sandbox: Sandbox, *types: str) -> list[Json]:
    options = [argument for name in types for argument in ("--type", name)]
    return [json.loads(line) for line in sandbox.ok("events", "--json", *options).splitlines()]


def events_of_type(sandbox: Sandbox, session_id: str, event_type: str) -> list[Json]:
    return [event for event in sandbox.events(session_id) if event["event_type"] == event_type]


HOOK_REQUEST = json.dumps({"tool_name": "Bash", "tool_input": {"command": "ls"}})
