"""Restarts: after API errors, crashes and limits a session can continue by itself in the same conversation."""

from __future__ import annotations

import json
import os
import time

import psutil
import pytest

from hldctl.system.clock import format_rfc3339
from tests.crash.audit import faults
from tests.helpers.restarts import skip_delay, wait_for_restart
from tests.helpers.sandbox import Sandbox, eventually, kill_and_wait

WORK = 'call Bash {"command": "echo one"}\n\n'
TOOLS = ("--allowed-tools", "Bash")


def notes(sandbox: Sandbox, session_id: str) -> list[str]:
    """Return the notes on restarts in the conversation."""
    query = "SELECT content FROM conversation_events WHERE session_id = ? AND note_kind = 'restart' ORDER BY sequence"
    return [content for (content,) in sandbox.sql(query, session_id)]


def results(sandbox: Sandbox, session_id: str) -> list[str]:
    events = sandbox.events(session_id)
    return [event["tool_result_content"] for event in events if event["event_type"] == "tool_result"]


def test_conversation_continues_after_an_api_error(sandbox: Sandbox) -> None:
    sandbox.serve_script(WORK + "fail 529 x2 Overloaded\n\nsay Done.")
    done = sandbox.run("launch", "Go", "--retries", "2", "--wait", *TOOLS)
    assert (done.returncode, done.stdout) == (0, "Done.\n")
    session = sandbox.show("last")
    assert (session["status"], session["end_reason"], session["error_message"]) == ("completed", "success", None)
    assert results(sandbox, session["id"]) == ["one"]
    assert len(notes(sandbox, session["id"])) == 1
    assert "retry 1 of 2" in notes(sandbox, session["id"])[0]
    assert faults(sandbox, session["id"]) == []


def test_session_fails_when_no_retry_is_left(sandbox: Sandbox) -> None:
    sandbox.serve_script("fail 500 Broken")
    session_id = sandbox.launch("Go", "--retries", "1")
    wait_for_restart(sandbox, session_id)
    skip_delay(sandbox, session_id)
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], session["end_reason"]) == ("failed", "api_error")
    assert len(notes(sandbox, session_id)) == 1
    assert not sandbox.files(session_id).request.exists()


@pytest.mark.parametrize("script", ["fail 400 Wrong", "fail 403 Forbidden"])
def test_permanent_error_is_not_retried(sandbox: Sandbox, script: str) -> None:
    sandbox.serve_script(script)
    session = sandbox.wait_for_end(sandbox.launch("Go", "--retries", "3"))
    assert (session["end_reason"], notes(sandbox, session["id"])) == ("api_error", [])


@pytest.mark.parametrize(
    "script", ["fail 401 Expired", "fail 403 OAuth token has been revoked", "fail 400 Your credit balance is too low"]
)
def test_refused_login_is_not_retried(sandbox: Sandbox, script: str) -> None:
    sandbox.serve_script(script)
    session = sandbox.wait_for_end(sandbox.launch("Go", "--retries", "3"))
    assert (session["end_reason"], notes(sandbox, session["id"])) == ("auth", [])


@pytest.mark.parametrize("crash", ["before it begins", "in a tool"])
def test_session_continues_after_a_crash(sandbox: Sandbox, crash: str) -> None:
    sandbox.serve_script(
        WORK + 'call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done; echo two"}\n\nsay Done.'
    )
    session_id = sandbox.launch("Go", "--retries", "1", *TOOLS)
    if crash == "in a tool":
        sandbox.wait_for_journal(session_id, "until [")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    claude.kill()
    wait_for_restart(sandbox, session_id)
    assert "SIGKILL" in notes(sandbox, session_id)[0]
    skip_delay(sandbox, session_id)
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], session["result_content"]) == ("completed", "Done.")
    assert session["pid"] != claude.pid
    assert faults(sandbox, session_id) == []
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_death_of_the_supervisor_in_the_pause_costs_no_retry(sandbox: Sandbox) -> None:
    sandbox.serve_script("fail 529 x2 Overloaded\n\nsay Done.")
    session_id = sandbox.launch("Go", "--retries", "1", "--env", "PLANET=Mars")
    supervisor = psutil.Process(wait_for_restart(sandbox, session_id)["supervisor_pid"])
    kill_and_wait(supervisor)
    sandbox.ok("ls")
    skip_delay(sandbox, session_id)
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], session["result_content"]) == ("completed", "Done.")
    assert len(notes(sandbox, session_id)) == 1


def test_session_can_be_interrupted_during_the_pause(sandbox: Sandbox) -> None:
    sandbox.serve_script("fail 529 Overloaded")
    session_id = sandbox.launch("Go", "--retries", "1")
    assert wait_for_restart(sandbox, session_id)["status"] == "starting"
    sandbox.ok("interrupt", session_id)
    session = sandbox.show(session_id)
    assert (session["status"], session["end_reason"]) == ("interrupted", "interrupted")


def test_timeout_covers_all_attempts(sandbox: Sandbox) -> None:
    sandbox.serve_script("fail 529 Overloaded")
    session_id = sandbox.launch("Go", "--retries", "1", "--timeout", "1h")
    wait_for_restart(sandbox, session_id)
    sandbox.sql("UPDATE sessions SET started_at = started_at - 3600000 WHERE id = ?", session_id)
    sandbox.files(session_id).wake_signal.touch()
    assert sandbox.run("wait", session_id).returncode == 124
    assert sandbox.show(session_id)["end_reason"] == "timeout"


def test_session_sleeps_until_a_limit_is_reset(sandbox: Sandbox) -> None:
    sandbox.serve_script(WORK + "limit 1m\n\nsay Done.")
    before = time.time()
    session_id = sandbox.launch("Go", "--wait-for-reset", *TOOLS)
    session = wait_for_restart(sandbox, session_id)
    assert session["status"] == "starting"
    (stored,) = sandbox.sql("SELECT restarts FROM sessions WHERE id = ?", session_id)[0]
    (restart,) = json.loads(stored)
    # A minute, and a margin.
    assert 65 < restart["due"] / 1000 - before < 130
    assert str(format_rfc3339(restart["due"])) in notes(sandbox, session_id)[0]
    sandbox.ok("interrupt", session_id)


def test_session_continues_after_a_limit_is_reset(sandbox: Sandbox) -> None:
    sandbox.serve_script(WORK + "limit 1s\n\nsay Done.")
    session_id = sandbox.launch("Go", "--wait-for-reset", *TOOLS)
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], session["result_content"]) == ("completed", "Done.")
    assert results(sandbox, session_id) == ["one"]
    assert faults(sandbox, session_id) == []


def test_limit_ends_the_session_without_the_option(sandbox: Sandbox) -> None:
    sandbox.serve_script("limit 60m\n\nsay Done.")
    session = sandbox.wait_for_end(sandbox.launch("Go"))
    assert (session["end_reason"], "limit" in session["error_message"]) == ("api_error", True)


def test_partial_line_of_a_first_run_is_replayed_the_same_way(sandbox: Sandbox) -> None:
    """`doctor --fix` replays a journal like this after the loss of the database."""
    # The first run dies in the middle of a line; the second one is another program.
    sandbox.fake_claude("""
said = {"type": "assistant", "session_id": "s", "message": {"id": "m", "content": [{"type": "text", "text": "Hm."}]}}
if os.path.exists("died"):
    print(json.dumps(said))
    print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "Done."}))
else:
    open("died", "w").close()
    sys.stdout.write(json.dumps(said) + chr(10) + json.dumps(said)[:20])
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
""")
    session_id = sandbox.launch("Go", "--retries", "1")
    wait_for_restart(sandbox, session_id)
    skip_delay(sandbox, session_id)
    session = sandbox.wait_for_end(session_id)
    assert session["result_content"] == "Done."
    before = sandbox.events(session_id)
    assert [event["event_type"] for event in before] == ["message", "message", "system", "system", "message"]
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")
    for file in sandbox.state.root.glob("hldctl.db*"):
        file.unlink()
    # doctor ignores recent sessions, which may be about to be recorded.
    os.utime(sandbox.files(session_id).directory, (0, 0))
    # doctor reports that the fake Claude Code has no version.
    assert "error: " not in sandbox.run("doctor", "--fix").stderr
    assert sandbox.events(session_id) == before
    assert sandbox.show(session_id) == session
