"""Commands and agents that run in the background: what a session does while the model waits for them."""

from __future__ import annotations

import json
import os
import re
import time

import psutil
import pytest

from tests.helpers.sandbox import Json, Sandbox, eventually, kill_and_wait, suspended
from tests.helpers.terminal import Terminal

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
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    past = time.time() - 2 * 3600
    # A guard could start the next supervisor too early.
    with suspended(sandbox.guards()):
        kill_and_wait(supervisor)
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
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash", "--timeout", "1h")
    wait_for_background(sandbox, session_id)
    kill_and_wait(psutil.Process(sandbox.show(session_id)["supervisor_pid"]))
    sandbox.sql("UPDATE sessions SET started_at = started_at - 3600000 WHERE id = ?", session_id)
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


def rendered(sandbox: Sandbox, *arguments: str) -> str:
    """Return what a command that ends shows at a terminal."""
    with Terminal(sandbox, *arguments, columns=120) as terminal:
        assert terminal.wait_for_exit()[0] == 0
        return "\n".join(terminal.screen())


def test_command_in_the_background_is_ticked_when_it_has_ended(sandbox: Sandbox) -> None:
    sandbox.serve_script(build())
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    wait_for_background(sandbox, session_id)
    started = rendered(sandbox, "tail", session_id)
    assert "started in the background" in started
    assert "✓" not in started
    assert "▸ <b>Bash" in sandbox.ok("export", session_id)
    sandbox.release()
    sandbox.wait_for_end(session_id)
    ended = rendered(sandbox, "tail", session_id)
    assert re.search(r"✓ Bash .* in the background · [\d.]+s", ended)
    assert re.search(r"✓ <b>Bash.* in the background · [\d.]+s", sandbox.ok("export", session_id))


def test_failed_command_in_the_background_is_not_ticked(sandbox: Sandbox) -> None:
    sandbox.serve_script(build(code=3))
    sandbox.release()
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    sandbox.wait_for_end(session_id)
    shown = rendered(sandbox, "tail", session_id)
    assert "✓ Bash" not in shown
    assert re.search(r"✗ Bash .*failed", shown)
    assert "✗ <b>Bash" in sandbox.ok("export", session_id)


def test_receipts_of_background_tasks_are_not_shown_as_output(sandbox: Sandbox) -> None:
    sandbox.serve_script(AGENTS)
    sandbox.release()
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash,Agent")
    sandbox.wait_for_end(session_id)
    for command, *options in [("tail",), ("tail", "--tools", "full"), ("show", "--events"), ("export",)]:
        text = sandbox.ok(command, session_id, *options)
        assert "never quote" not in text
        assert "Report one." in text
    assert "never quote" not in rendered(sandbox, "tail", session_id, "--tools", "full")
    assert "never quote" in sandbox.ok("tail", session_id, "--json")
    assert rendered(sandbox, "tail", session_id).count("✓ Agent") == 2


def test_followed_session_shows_the_agents_that_work(sandbox: Sandbox) -> None:
    sandbox.serve_script(AGENTS)
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash,Agent")
    with Terminal(sandbox, "tail", "-f", session_id, columns=120) as terminal:
        terminal.wait_for_screen("waiting for 2 agents")
        sandbox.release()
        assert terminal.wait_for_exit()[0] == 0


def test_run_time_includes_the_wait_for_a_background_task(sandbox: Sandbox) -> None:
    sandbox.serve_script(build())
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    wait_for_background(sandbox, session_id)
    sandbox.sql("UPDATE sessions SET started_at = started_at - 60000 WHERE id = ?", session_id)
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert re.search(r"completed after 1m\d\ds \(\d+s at work\)", rendered(sandbox, "show", session_id))
    assert re.search(r"✓ completed  1m\d\ds · \d+s at work", rendered(sandbox, "tail", "-f", session_id))
    assert re.search(r"1m\d\ds", rendered(sandbox, "ls"))
    assert "**Completed after 1m" in (exported := sandbox.ok("export", session_id))
    assert "s at work" in exported


def test_lines_and_time_of_a_tool_are_those_of_its_work(sandbox: Sandbox) -> None:
    (sandbox.work / "two.txt").write_text("alpha\nbeta\n")
    sandbox.serve_script(
        f'call Read {{"file_path": "{sandbox.work}/two.txt"}}\ncall Bash {{"command": "touch made"}}\n\nsay Done.'
    )
    session_id = sandbox.launch("Hi", "--approvals")
    eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")
    sandbox.sql("UPDATE approvals SET created_at = created_at - 60000 WHERE session_id = ?", session_id)
    sandbox.sql("UPDATE conversation_events SET created_at = created_at - 60000 WHERE tool_name = 'Bash'")
    sandbox.ok("approve", "--all")
    sandbox.wait_for_end(session_id)
    shown = rendered(sandbox, "tail", session_id)
    assert re.search(r"✓ Read  two.txt  2 lines", shown)
    assert re.search(r"✓ Bash  touch made  no output( · \d\.\ds)?\s", shown)
    exported = sandbox.ok("export", session_id)
    assert re.search(r"touch made</code> — no output( · \d\.\ds)?( · approved by [^<]*)?<", exported), exported
