"""Commands and agents that run in the background: what a session does while the model waits for them."""

from __future__ import annotations

import json
import os
import time

import psutil
import pytest

from tests.helpers.sandbox import Json, Sandbox, eventually, kill_and_wait

BUILD = """
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done; echo built; exit CODE",
  "description": "Build the API", "run_in_background": true}

say The build runs.

say The build is over.
"""

AGENTS = """
call Agent {"description": "Review the API", "prompt": "PART ONE"}
call Agent {"description": "Review the docs", "prompt": "PART TWO"}

say Two agents work.

say Noted.

say Noted both.

[PART ONE]
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}

say Report one.

[PART TWO]
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}

say Report two.
"""

SILENT_AGENT = """
call Agent {"description": "Think", "prompt": "PART ONE"}

say The agent works.

say Done.

[PART ONE]
wait 4s
say Report.
"""


def build(code: int = 0) -> str:
    return BUILD.replace("CODE", str(code))


def activity(sandbox: Sandbox, session_id: str) -> Json:
    return sandbox.show(session_id)["activity"] or {}


def wait_for_background(sandbox: Sandbox, session_id: str) -> Json:
    """Wait until the model waits for its tasks; return the activity."""

    def doing() -> Json | None:
        current = activity(sandbox, session_id)
        return current if current.get("kind") == "background" else None

    return eventually(doing, "the model to wait") or {}


def let_the_idle_timeout_pass(sandbox: Sandbox, session_id: str) -> None:
    """Make the session silent for longer than its idle timeout, as its next supervisor sees it."""
    kill_and_wait(psutil.Process(sandbox.show(session_id)["supervisor_pid"]))
    past = time.time() - 2 * 3600
    os.utime(sandbox.files(session_id).journal, (past, past))
    sandbox.ok("ls")
    eventually(sandbox.supervisors, "the new supervisor")


def test_session_with_a_command_in_the_background_is_not_idle(sandbox: Sandbox) -> None:
    sandbox.serve_script(build())
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash", "--idle-timeout", "1h")
    sandbox.wait_for_journal(session_id, '"result"')
    let_the_idle_timeout_pass(sandbox, session_id)
    assert activity(sandbox, session_id)["kind"] == "background"
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "The build is over."


def test_session_with_a_silent_agent_in_the_background_is_not_idle(sandbox: Sandbox) -> None:
    sandbox.serve_script(SILENT_AGENT)
    session_id = sandbox.launch("Hi", "--allowed-tools", "Agent", "--idle-timeout", "1h")
    sandbox.wait_for_journal(session_id, "The agent works.")
    let_the_idle_timeout_pass(sandbox, session_id)
    assert sandbox.wait_for_end(session_id)["result_content"] == "Done."


def test_timeout_stops_a_session_whose_command_never_ends(sandbox: Sandbox) -> None:
    sandbox.serve_script(build())
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash", "--timeout", "6s", "--idle-timeout", "1s")
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], session["end_reason"]) == ("failed", "timeout")
    eventually(lambda: not sandbox.processes(), "all to end")


def test_activity_names_the_command_that_the_model_waits_for(sandbox: Sandbox) -> None:
    sandbox.serve_script(build())
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    doing = wait_for_background(sandbox, session_id)
    (task,) = doing["tasks"]
    assert (task["kind"], task["description"]) == ("command", "Build the API")
    assert doing["since"] == task["started_at"]
    session = sandbox.show(session_id)
    assert [each["description"] for each in session["background_tasks"]] == ["Build the API"]
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert (session["activity"], session["background_tasks"]) == (None, [])


def test_activity_counts_the_agents_that_the_model_waits_for(sandbox: Sandbox) -> None:
    sandbox.serve_script(AGENTS)
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash,Agent")
    doing = wait_for_background(sandbox, session_id)
    assert [task["kind"] for task in doing["tasks"]] == ["agent", "agent"]
    (listed,) = json.loads(sandbox.ok("ls", "--json"))
    assert listed["activity"]["kind"] == "background"
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["status"] == "completed"


@pytest.mark.parametrize("field", ["activity", "background_tasks"])
def test_session_without_tasks_has_null(sandbox: Sandbox, field: str) -> None:
    sandbox.serve_script("say Hi.")
    sandbox.ok("launch", "Hi", "--wait")
    assert sandbox.show("last")[field] is None
