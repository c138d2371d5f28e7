"""Stalls: Claude Code writes nothing although the model should answer; with retries, the conversation continues."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from tests.crash.audit import faults
from tests.helpers.restarts import skip_delay, wait_for_restart
from tests.helpers.sandbox import Sandbox, eventually, kill_and_wait, suspended

_TWO_HOURS_SECONDS = 7200


def let_the_stall_pass(sandbox: Sandbox, session_id: str) -> None:
    """Make the session silent for two hours, as its next supervisor sees it."""
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    before = time.time() - _TWO_HOURS_SECONDS
    # A guard could start the next supervisor too early.
    with suspended(sandbox.guards()):
        kill_and_wait(supervisor)
        os.utime(sandbox.files(session_id).journal, (before, before))
        sandbox.sql("UPDATE sessions SET last_activity_at = ? WHERE id = ?", int(before * 1000), session_id)
        sandbox.ok("ls")


@pytest.mark.parametrize("script", ["hang", 'call Bash {"command": "true"}\n\nsay Well\nhang'])
def test_stalled_session_fails(sandbox: Sandbox, script: str) -> None:
    sandbox.serve_script(script)
    session_id = sandbox.launch("Go", "--stall", "2s", "--allowed-tools", "Bash")
    waited = sandbox.run("wait", session_id)
    assert (waited.returncode, "stopped: no output from Claude Code for --stall 2s" in waited.stderr) == (1, True)
    session = sandbox.show(session_id)
    assert (session["status"], session["end_reason"]) == ("failed", "stalled")
    assert faults(sandbox, session_id) == []
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_program_that_never_writes_has_stalled(sandbox: Sandbox) -> None:
    sandbox.fake_claude("json.loads(sys.stdin.readline()); time.sleep(1000)")
    session_id = sandbox.launch("Go", "--stall", "1s")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "stalled"


def test_stalled_conversation_continues_with_retries(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "echo one"}\n\nhang x1\n\nsay Done.')
    session_id = sandbox.launch("Go", "--stall", "1h", "--retries", "1", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "tool_result")
    let_the_stall_pass(sandbox, session_id)
    session = wait_for_restart(sandbox, session_id)
    assert (session["status"], session["activity"]["kind"]) == ("starting", "restarting")
    skip_delay(sandbox, session_id)
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], session["result_content"]) == ("completed", "Done.")
    notes = sandbox.sql("SELECT content FROM conversation_events WHERE note_kind = 'restart'")
    assert "retry 1 of 1" in notes[0][0]
    assert "no output from Claude Code for --stall 1h" in notes[0][0]
    assert faults(sandbox, session_id) == []


def test_interrupt_of_a_stalled_session_is_not_retried(sandbox: Sandbox) -> None:
    sandbox.serve_script("hang")
    session_id = sandbox.launch("Go", "--stall", "1h", "--retries", "1")
    sandbox.wait_for_journal(session_id, "init")
    let_the_stall_pass(sandbox, session_id)
    wait_for_restart(sandbox, session_id)
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["end_reason"] == "interrupted"


SILENT_WORK = [
    'call Bash {"command": "touch runs; until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Done.',
    'call Bash {"command": "touch runs; until [ -e go-on ]; do sleep 0.1; done", "run_in_background": true}\n\n'
    "say Done.\n\n[SYSTEM NOTIFICATION]\nsay Done.",
]


@pytest.mark.parametrize("script", SILENT_WORK, ids=["tool", "task in the background"])
def test_long_tool_is_not_a_stall(sandbox: Sandbox, script: str) -> None:
    sandbox.serve_script(script)
    session_id = sandbox.launch("Go", "--stall", "1h", "--allowed-tools", "Bash")
    eventually((sandbox.work / "runs").exists, "the tool to run")
    if "background" in script:
        sandbox.wait_for_journal(session_id, "Done.")
    let_the_stall_pass(sandbox, session_id)
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert (session["end_reason"], session["result_content"]) == ("success", "Done.")


def test_permission_request_is_not_a_stall(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    session_id = sandbox.launch("Go", "--stall", "1h", "--approvals")
    eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")
    let_the_stall_pass(sandbox, session_id)
    sandbox.ok("approve", "--all", "--session", session_id)
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"


def test_idle_session_that_is_kept_open_has_not_stalled(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.\n\n[second]\nsay Two.")
    session_id = sandbox.launch("First", "--keep-open", "--stall", "1h")
    sandbox.ok("wait", "--until", "idle", session_id)
    let_the_stall_pass(sandbox, session_id)
    assert sandbox.ok("send", "--wait", session_id, "second") == "Two.\n"
    assert sandbox.ok("close", session_id) == f"{session_id} completed\n"


def test_stall_is_configured_and_inherited(sandbox: Sandbox) -> None:
    sandbox.configure('stall = "5m"')
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    child = sandbox.ok("continue", session_id, "Again").strip()
    sandbox.wait_for_end(child)
    assert sandbox.sql("SELECT DISTINCT stall_ms FROM sessions") == [(300_000,)]
