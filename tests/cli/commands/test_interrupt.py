from __future__ import annotations

import json

import psutil

from tests.helpers.sandbox import Sandbox, eventually

IGNORES_BOTH = """
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print(json.dumps({"type": "system", "subtype": "init", "session_id": "x", "model": "claude-opus-5"}), flush=True)
while True:
    time.sleep(1)
"""
IGNORES_SIGINT = IGNORES_BOTH.replace("(signal.SIGINT, signal.SIGTERM)", "(signal.SIGINT,)")


def test_sigterm_follows_sigint_after_the_grace_period(sandbox: Sandbox) -> None:
    sandbox.fake_claude(IGNORES_SIGINT)
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "init")
    stopped = sandbox.ok("interrupt", session_id, "--timeout", "1s")
    assert stopped == f"{session_id} interrupted by SIGTERM\n"
    session = sandbox.show(session_id)
    assert (session["status"], session["end_reason"], session["exit_code"]) == ("interrupted", "interrupted", -15)


def test_sigkill_follows_sigterm(sandbox: Sandbox) -> None:
    sandbox.fake_claude(IGNORES_BOTH)
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "init")
    stopped = sandbox.ok("interrupt", session_id, "--timeout", "0")
    assert stopped == f"{session_id} interrupted by SIGKILL\n"
    assert sandbox.show(session_id)["exit_code"] == -9


def test_interrupt_request_is_recorded_before_the_signal(sandbox: Sandbox) -> None:
    sandbox.fake_claude(IGNORES_BOTH)
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "init")
    sandbox.ok("interrupt", session_id, "--no-wait", "--timeout", "1h")
    assert sandbox.show(session_id)["status"] == "interrupting"
    # A second interrupt may have a shorter timeout.
    sandbox.ok("interrupt", session_id, "--timeout", "0")
    assert sandbox.show(session_id)["status"] == "interrupted"


def test_interrupt_all_stops_sessions_in_parallel(sandbox: Sandbox) -> None:
    sandbox.fake_claude(IGNORES_BOTH)
    ids = [sandbox.launch("Hi") for _ in range(4)]
    for session_id in ids:
        sandbox.wait_for_journal(session_id, "init")
    stopped = sandbox.ok("interrupt", "--all", "--timeout", "1").splitlines()
    assert sorted(stopped) == sorted(f"{session_id} interrupted by SIGKILL" for session_id in ids)
    changes = [
        json.loads(line) for line in sandbox.ok("events", "--json", "--type", "session_status_changed").splitlines()
    ]
    # All were interrupted before the first had ended, so not one after another.
    assert [change["data"]["new_status"] for change in changes[-8:]] == ["interrupting"] * 4 + ["interrupted"] * 4


def test_nested_session_survives_its_parents_interrupt(sandbox: Sandbox) -> None:
    sandbox.serve_script(
        'call Bash {"command": "hldctl launch inner > inner; tail -f /dev/null"}\n\nsay Never said.\n\n'
        "[inner]\nsay Inner begun.\nwait 4s\nsay Inner done."
    )
    outer = sandbox.launch("Hi", "--allowed-tools", "Bash")
    id_file = sandbox.work / "inner"
    inner = eventually(lambda: id_file.read_text().strip() if id_file.exists() else "", "the inner session")
    sandbox.ok("interrupt", outer)
    assert sandbox.wait_for_end(inner)["end_reason"] == "success"


def test_orphans_of_tools_are_reaped_while_session_runs(sandbox: Sandbox) -> None:
    sandbox.serve_script(
        'call Bash {"command": "for n in 1 2 3 4 5; do (sleep 0.1 &) ; done"}\n\nwait 1s\nsay Here.\nhang'
    )
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "Here.")
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    expected = ["claude", "sh"]
    eventually(
        lambda: sorted(child.name() for child in supervisor.children()) == expected,
        "the orphans, all but Claude Code and the guard, to be reaped",
    )
    sandbox.ok("interrupt", session_id)


def test_long_timeout_is_accepted(sandbox: Sandbox) -> None:
    sandbox.fake_claude(IGNORES_SIGINT)
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "init")
    sandbox.ok("interrupt", session_id, "--timeout", "60d", "--no-wait")
    sandbox.ok("interrupt", session_id, "--timeout", "0")
    assert sandbox.files(session_id).log.read_text() == ""


def test_open_tool_calls_are_completed_at_the_end(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch runs; tail -f /dev/null"}\n\nsay Never said.')
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    eventually((sandbox.work / "runs").exists, "the tool to run")
    sandbox.wait_for_journal(session_id, "tool_use")
    calls = [event for event in sandbox.events(session_id) if event["event_type"] == "tool_call"]
    assert [call["is_completed"] for call in calls] == [False]
    psutil.Process(sandbox.show(session_id)["pid"]).kill()
    sandbox.run("wait", session_id)
    events = sandbox.events(session_id)
    assert [call["is_completed"] for call in events if call["event_type"] == "tool_call"] == [True]
    assert not [event for event in events if event["event_type"] == "tool_result"]


def test_denied_tool_call_is_completed_with_an_error(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Write {"file_path": "made", "content": "x"}\n\nsay Sorry.')
    session_id = sandbox.launch("Hi")
    session = sandbox.wait_for_end(session_id)
    events = {event["event_type"]: event for event in sandbox.events(session_id)}
    assert events["tool_call"]["is_completed"] is True
    assert events["tool_result"]["is_error"] is True
    assert "Permission denied for Write" in events["system"]["content"]
    (denial,) = session["permission_denials"]
    assert (denial["tool_name"], session["status"]) == ("Write", "completed")


def test_interrupt_stops_claude_inside_a_wrapper_script(sandbox: Sandbox) -> None:
    """A signal to the direct child alone would reach only the shell, which waits."""
    sandbox.serve_script("say Here.\nhang")
    wrapper = sandbox.root / "wrapper"
    wrapper.write_text(f'#!/bin/sh\n{sandbox.environment["HLDCTL_CLAUDE"]} "$@"\nexit $?\n')
    wrapper.chmod(0o755)
    sandbox.environment["HLDCTL_CLAUDE"] = str(wrapper)
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "Here.")
    assert sandbox.ok("interrupt", session_id, "--timeout", "30s") == f"{session_id} interrupted\n"
    eventually(lambda: not sandbox.processes(), "all to end")
