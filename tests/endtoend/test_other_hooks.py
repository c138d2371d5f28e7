"""A permission hook of the user or the project next to hldctl's: its decision is recorded."""

from __future__ import annotations

import json

import pytest

from tests.helpers.approvals import (
    TOUCH_SCRIPT,
    all_requests,
    events_of_type,
    feed_events,
    launch_with_approvals,
    wait_for_requests,
)
from tests.helpers.sandbox import Sandbox, eventually


def another_hook(sandbox: Sandbox, behavior: str) -> None:
    """Add a hook that decides as soon as there is a file `decide`."""
    decision = {"hookEventName": "PermissionRequest", "decision": {"behavior": behavior}}
    command = f"cat >&-; until [ -e decide ]; do sleep 0.1; done; echo '{json.dumps({'hookSpecificOutput': decision})}'"
    hook = {"hooks": [{"type": "command", "command": command}]}
    directory = sandbox.work / ".claude"
    directory.mkdir()
    (directory / "settings.json").write_text(json.dumps({"hooks": {"PermissionRequest": [hook]}}))


@pytest.mark.parametrize(("behavior", "status"), [("allow", "approved"), ("deny", "denied")])
def test_decision_of_another_hook_is_recorded_as_such(sandbox: Sandbox, behavior: str, status: str) -> None:
    another_hook(sandbox, behavior)
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    wait_for_requests(sandbox)
    (sandbox.work / "decide").touch()
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert (sandbox.work / "made").exists() == (behavior == "allow")
    (request,) = all_requests(sandbox)
    assert (request["status"], request["answered_by"], request["answered_from"]) == (status, "another hook", None)
    (call,) = events_of_type(sandbox, session_id, "tool_call")
    assert (call["approval_id"], call["approval_status"]) == (request["id"], status)
    resolved = feed_events(sandbox, "approval_resolved")[-1]["data"]
    assert (resolved["status"], resolved["answered_by"]) == (status, "another hook")
    assert f"{status} by another hook" in sandbox.ok("approvals", "--all")


def test_answer_after_another_hooks_is_recorded_as_unused(sandbox: Sandbox) -> None:
    another_hook(sandbox, "allow")
    session_id = launch_with_approvals(
        sandbox, 'call Bash {"command": "touch made; until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Done.'
    )
    (request,) = wait_for_requests(sandbox)
    (sandbox.work / "decide").touch()
    eventually((sandbox.work / "made").exists, "the call to run")
    sandbox.ok("deny", request["id"])
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["permission_denials"] == []
    (request,) = all_requests(sandbox)
    assert (request["status"], request["answered_by"]) == ("approved", "another hook")
    assert request["comment"].startswith("denied by ")
