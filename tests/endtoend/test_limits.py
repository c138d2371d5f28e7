"""The limits --timeout and --idle-timeout."""

from __future__ import annotations

import psutil
import pytest

from tests.crash.audit import faults
from tests.helpers.sandbox import Json, Sandbox, eventually, kill_and_wait

# Longer than Claude Code takes to start on a loaded machine, and shorter than the timeouts of these tests.
IDLE = "18s"


def ending(session: Json) -> tuple[str, str]:
    return session["status"], session["end_reason"]


def test_session_is_stopped_at_its_timeout(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    done = sandbox.run("launch", "Hi", "--timeout", "4s", "--wait")
    assert (done.returncode, "--timeout" in done.stderr) == (124, True)
    session = sandbox.show("last")
    assert ending(session) == ("failed", "timeout")
    assert session["duration_ms"] is not None
    assert sandbox.run("wait", session["id"]).returncode == 124
    eventually(lambda: not sandbox.processes(), "all to leave")
    assert faults(sandbox, session["id"]) == []


def test_timeout_stops_all_descendants(sandbox: Sandbox) -> None:
    sandbox.serve_script(
        'call Bash {"command": "setsid tail -f /dev/null & touch runs; tail -f /dev/null"}\n\nsay Never said.'
    )
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash", "--timeout", "20s")
    assert ending(sandbox.wait_for_end(session_id)) == ("failed", "timeout")
    assert (sandbox.work / "runs").exists()
    eventually(lambda: not sandbox.processes(), "all to end")


def test_deadline_is_kept_after_adoption(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hi", "--timeout", "1h")
    sandbox.wait_for_journal(session_id, "Here.")
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    kill_and_wait(supervisor)
    sandbox.sql("UPDATE sessions SET started_at = started_at - 3600000 WHERE id = ?", session_id)
    assert sandbox.run("wait", session_id).returncode == 124
    assert ending(sandbox.show(session_id)) == ("failed", "timeout")


def test_inactive_session_is_stopped(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "echo out"}\n\nsay Here.\nhang')
    done = sandbox.run("launch", "Hi", "--idle-timeout", "3s", "--wait")
    assert (done.returncode, "--idle-timeout" in done.stderr) == (124, True)
    assert ending(sandbox.show("last")) == ("failed", "idle_timeout")
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_long_running_tool_is_not_idle(sandbox: Sandbox) -> None:
    command = "for n in 1 2 3 4 5 6; do sleep 4; done; echo out"
    sandbox.serve_script(f'call Bash {{"command": "{command}"}}\n\nsay Done.')
    done = sandbox.run("launch", "Hi", "--allowed-tools", "Bash", "--idle-timeout", IDLE, "--wait")
    assert (done.returncode, done.stdout) == (0, "Done.\n")


def test_session_waiting_for_approval_is_not_idle(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    options = ["--approvals", "--approval-timeout", "24s=allow", "--idle-timeout", IDLE, "--wait"]
    done = sandbox.run("launch", "Hi", *options)
    assert (done.returncode, done.stdout) == (0, "Done.\n")


def test_interrupt_before_the_timeout_stays_an_interrupt(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hi", "--timeout", "1h", "--idle-timeout", "1h")
    sandbox.wait_for_journal(session_id, "Here.")
    sandbox.ok("interrupt", session_id)
    assert ending(sandbox.show(session_id)) == ("interrupted", "interrupted")


def test_continuation_inherits_limits_and_restarts_the_clock(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hi.")
    sandbox.ok("launch", "Hi", "--timeout", "90s", "--idle-timeout", "1m", "--wait")
    sandbox.ok("continue", "last", "More", "--idle-timeout", "2m", "--wait")
    limits = sandbox.sql("SELECT timeout_ms, idle_timeout_ms FROM sessions ORDER BY created_at")
    assert limits == [(90_000, 60_000), (90_000, 120_000)]


@pytest.mark.parametrize("option", ["--timeout", "--idle-timeout"])
@pytest.mark.parametrize("length", ["0", "-5", "soon", "", "1.5h", "101y"])
def test_invalid_limit_starts_nothing(sandbox: Sandbox, option: str, length: str) -> None:
    sandbox.fake_claude("")
    refused = sandbox.run("launch", "Hi", f"{option}={length}")
    assert (refused.returncode, option in refused.stderr) == (2, True)
    assert sandbox.ok("ls", "-q") == ""
