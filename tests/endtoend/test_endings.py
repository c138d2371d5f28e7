"""Outcomes of sessions with the real Claude Code, including cases in which exit code and last result disagree."""

from __future__ import annotations

import os
import signal
import uuid

import pytest

from tests.helpers.sandbox import Json, Sandbox, eventually

SLOW = "say One moment.\nwait 30s\nsay Never said."
IN_TOOL = 'call Bash {"command": "touch tool-runs; tail -f /dev/null"}\n\nsay Never said.'


def ending(session: Json) -> tuple[str, str]:
    return session["status"], session["end_reason"]


def wait_until_it_plays(sandbox: Sandbox, session_id: str, script: str) -> None:
    """Wait until the script plays; between a tool call and the tool's start, an interrupt would leave no trace."""
    sandbox.wait_for_journal(session_id, {"hang": '"init"', SLOW: "One moment", IN_TOOL: "tool-runs"}[script])
    if script == IN_TOOL:
        eventually((sandbox.work / "tool-runs").exists, "the tool to run")


def test_success_completes(sandbox: Sandbox) -> None:
    sandbox.serve_script("say All is well.")
    session_id = sandbox.launch("Hello")
    done = sandbox.run("wait", session_id)
    session = sandbox.show(session_id)
    assert done.returncode == 0
    assert ending(session) == ("completed", "success")
    assert session["result_content"] == "All is well."
    assert session["exit_code"] == 0
    assert session["cost_usd"] > 0
    assert session["num_turns"] == 1
    assert session["error_message"] is None


def test_api_error_fails(sandbox: Sandbox) -> None:
    sandbox.serve_script("fail 400 no such luck")
    session_id = sandbox.launch("Hello")
    done = sandbox.run("wait", session_id)
    session = sandbox.show(session_id)
    assert done.returncode == 1
    assert ending(session) == ("failed", "api_error")
    assert "no such luck" in session["error_message"]


def test_missing_login_fails(sandbox: Sandbox) -> None:
    assert sandbox.run("launch", "Hello", "--wait").returncode == 1
    session = sandbox.show("last")
    assert ending(session) == ("failed", "auth")
    assert session["error_message"].startswith("Not logged in. Run `claude auth login`")
    assert "/login" not in session["error_message"]


def test_max_turns_fails(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "echo one"}\n\nsay Never said.')
    session = sandbox.wait_for_end(sandbox.launch("Hello", "--max-turns", "1", "--allowed-tools", "Bash"))
    assert ending(session) == ("failed", "max_turns")
    assert session["max_turns"] == 1
    assert session["error_message"]


def test_budget_fails(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "echo one"}\n\ncall Bash {"command": "echo two"}\n\nsay Never said.')
    session = sandbox.wait_for_end(sandbox.launch("Hello", "--max-budget-usd", "0.000001", "--allowed-tools", "Bash"))
    assert ending(session) == ("failed", "budget")


def test_interrupt_before_the_first_answer_is_recorded(sandbox: Sandbox) -> None:
    sandbox.serve_script("hang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, '"init"')
    sandbox.ok("interrupt", session_id)
    assert ending(sandbox.show(session_id)) == ("interrupted", "interrupted")
    assert sandbox.run("wait", session_id).returncode == 130


@pytest.mark.parametrize("script", [SLOW, IN_TOOL], ids=["streaming", "in a tool"])
def test_interrupt_after_the_first_answer_is_recorded(sandbox: Sandbox, script: str) -> None:
    sandbox.serve_script(script)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    wait_until_it_plays(sandbox, session_id, script)
    sandbox.ok("interrupt", session_id)
    assert ending(sandbox.show(session_id)) == ("interrupted", "interrupted")


@pytest.mark.parametrize("script", ["hang", SLOW, IN_TOOL], ids=["no answer yet", "streaming", "in a tool"])
def test_sigint_from_outside_counts_as_an_interrupt(sandbox: Sandbox, script: str) -> None:
    sandbox.serve_script(script)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    wait_until_it_plays(sandbox, session_id, script)
    os.kill(sandbox.show(session_id)["pid"], signal.SIGINT)
    assert ending(sandbox.wait_for_end(session_id)) == ("interrupted", "interrupted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signal_from_outside_fails_the_session_as_killed(sandbox: Sandbox, number: signal.Signals) -> None:
    sandbox.serve_script(SLOW)
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "One moment")
    os.kill(sandbox.show(session_id)["pid"], number)
    session = sandbox.wait_for_end(session_id)
    assert ending(session) == ("failed", "killed")
    assert number.name in session["error_message"]
    assert session["exit_code"] in (143, -9)


def failed_session(sandbox: Sandbox, *arguments: str) -> Json:
    """Launch a session whose arguments Claude Code refuses, and return it."""
    assert sandbox.run("launch", "Hello", "--", *arguments).returncode == 5
    return sandbox.show("last")


def test_resuming_an_unknown_conversation_fails(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Never said.")
    session = failed_session(sandbox, "--resume", str(uuid.uuid4()))
    assert ending(session) == ("failed", "error")
    assert "No conversation found" in session["error_message"]


def test_flag_refused_by_claude_fails_with_its_message(sandbox: Sandbox) -> None:
    session = failed_session(sandbox, "--no-such-flag")
    assert ending(session) == ("failed", "error")
    assert "no-such-flag" in session["error_message"]
    assert session["exit_code"] == 1


def test_binary_that_cannot_run_is_a_spawn_failure(sandbox: Sandbox) -> None:
    sandbox.fake_claude("").write_text("#!/no/such/interpreter\n")
    launched = sandbox.run("launch", "Hello")
    (session_id,) = sandbox.ok("ls", "-q").split()
    session = sandbox.show(session_id)
    assert launched.returncode == 5
    assert launched.stdout == ""
    assert session_id in launched.stderr
    assert ending(session) == ("failed", "spawn_failed")
    assert "Cannot run Claude Code" in session["error_message"]
