"""Settings that a running Claude Code changes itself: the model and the permission mode."""

from __future__ import annotations

import json

import psutil

from tests.helpers.messages import launch_gated
from tests.helpers.sandbox import Sandbox, kill_and_wait


def replying_models(sandbox: Sandbox, session_id: str) -> list[str]:
    lines = [json.loads(line) for line in sandbox.ok("tail", "--raw", session_id).splitlines()]
    return [line["message"]["model"] for line in lines if line["type"] == "assistant"]


def test_model_changes_within_the_turn(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox, "--model", "opus")
    changed = sandbox.run("set", session_id, "--model", "sonnet")
    note = f"hldctl: session {session_id[:8]} uses model sonnet from the next request to the model on\n"
    assert (changed.returncode, changed.stdout, changed.stderr) == (0, "", note)
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    before, *_, after = replying_models(sandbox, session_id)
    assert ("opus" in before, "sonnet" in after) == (True, True)
    assert (session["model"], session["model_id"]) == ("sonnet", after)
    notes = [event["content"] for event in sandbox.events(session_id) if event["event_type"] == "system"]
    assert [note.startswith("Set model to") for note in notes] == [True]


def test_refused_permission_mode_changes_nothing(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox, "--model", "opus")
    refused = sandbox.run("set", session_id, "--permission-mode", "bypassPermissions", "--title", "New")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "refused --permission-mode bypassPermissions: Cannot set permission mode" in refused.stderr
    session = sandbox.show(session_id)
    assert (session["permission_mode"], session["title"]) == (None, None)
    sandbox.release()


def test_permission_mode_holds_after_the_death_of_the_supervisor(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox, "--model", "opus")
    kill_and_wait(psutil.Process(sandbox.show(session_id)["supervisor_pid"]))
    sandbox.ok("set", session_id, "--permission-mode", "acceptEdits")
    assert '"mode":"acceptEdits"' in sandbox.ok("tail", "--raw", session_id)
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["permission_mode"] == "acceptEdits"


def test_continuation_inherits_a_model_set_after_the_end(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.\n\nsay Two.")
    session_id = sandbox.launch("Hello", "--model", "opus")
    sandbox.wait_for_end(session_id)
    assert sandbox.run("set", session_id, "--model", "sonnet").stderr == ""
    continuation = sandbox.ok("continue", session_id, "More").strip()
    assert sandbox.wait_for_end(continuation)["model"] == "sonnet"
