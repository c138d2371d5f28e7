"""Kills of a supervisor at each step: the session is recorded completely, and Claude Code is not affected."""

from __future__ import annotations

import pytest

from tests.crash.audit import faults
from tests.helpers.kill_at import crash_at
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually

BEFORE_THE_ROW = [
    "acquire_quickly:call",
    "acquire_quickly:return",
    "write_inputs:return",
    "save:return",
    "create:call",
    "create:return",
]
BEFORE_CLAUDE = ["start_claude:call", "spawn:call"]
CLAUDE_RUNS = [
    "spawn:return",
    "mark_started:call",
    "mark_started:return",
    "Handshake.accept:call",
    "_detach:return",
    "Ingester.catch_up:call",
    "ArrivalTimes.cover:return",
    "record:call",
    "record:return",
    "Ingester.finish:call",
    "ProcessMonitor._end_session:call",
    "decide:return",
    "end:call",
    "end:return",
]


def assert_fully_recorded(sandbox: Sandbox, session_id: str) -> None:
    assert (sandbox.root / "killed").exists(), "the step was never reached"
    assert faults(sandbox, session_id) == []
    eventually(lambda: not sandbox.processes(), "all processes to leave")


@pytest.mark.parametrize("step", CLAUDE_RUNS)
def test_launch_survives_a_kill_with_claude_running(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script('say One.\ncall Bash {"command": "echo out"}\n\nsay Two.')
    crash_at(sandbox, step)
    sandbox.run("launch", "Hello", "--allowed-tools", "Bash")
    session_id = eventually(lambda: sandbox.ok("ls", "-q").strip(), "the session")
    assert sandbox.run("wait", session_id).returncode == 0
    session = sandbox.show(session_id)
    assert (session["end_reason"], session["result_content"]) == ("success", "Two.")
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize("step", BEFORE_CLAUDE)
def test_launch_survives_a_kill_with_a_row_but_no_claude(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script("say One.")
    crash_at(sandbox, step)
    launched = sandbox.run("launch", "Hello")
    assert launched.returncode == 5
    (session_id,) = sandbox.ok("ls", "-q").split()
    assert session_id in launched.stderr
    assert sandbox.show(session_id)["end_reason"] == "lost"
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize("step", BEFORE_THE_ROW)
def test_launch_survives_a_kill_before_the_row_is_written(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script("say One.")
    crash_at(sandbox, step)
    assert sandbox.run("launch", "Hello").returncode == 5
    assert sandbox.ok("ls", "-q") == ""
    # The next launch is not affected.
    assert sandbox.ok("launch", "Hello", "--wait") == "One.\n"


@pytest.mark.parametrize(
    "step", ["StopSequence._send:call", "StopSequence._send:return", "send_signal:return", "end_descendants:call"]
)
def test_interrupt_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script('call Bash {"command": "touch runs; tail -f /dev/null"}\n\nsay Never said.')
    crash_at(sandbox, step)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    eventually((sandbox.work / "runs").exists, "the tool to run")
    sandbox.run("interrupt", session_id)
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], session["end_reason"]) == ("interrupted", "interrupted")
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize(
    "step", ["adopt:call", "adopt:return", "set_supervisor_pid:return", "record:return", "end:call"]
)
def test_adoption_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    (supervisor,) = sandbox.supervisors()
    supervisor.kill()
    crash_at(sandbox, step)
    sandbox.run("show", session_id)
    sandbox.release()
    assert sandbox.run("wait", session_id).returncode == 0
    assert sandbox.show(session_id)["result_content"] == "Two."
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize(
    "step",
    [
        "Handshake.queue:call",
        "wait_to_start:call",
        "sessions_ahead:return",
        "leave_queue:call",
        "leave_queue:return",
        "start_claude:call",
        "spawn:call",
        "spawn:return",
        "mark_started:call",
        "mark_started:return",
        "conclude:return",
    ],
)
def test_queued_session_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script("[first]\nhang\n\n[second]\nsay Two.")
    first = sandbox.launch("first", "--name", "nightly")
    crash_at(sandbox, step)
    sandbox.run("launch", "second", "--name", "nightly", "--if-running", "queue")
    (second,) = set(sandbox.ok("ls", "-q").split()) - {first}

    def conversations() -> int:
        return len(list(sandbox.home.glob(".claude/projects/*/*.jsonl")))

    # A session that is interrupted earlier leaves no conversation.
    eventually(lambda: conversations() == 1, "the first conversation")
    sandbox.ok("interrupt", first)
    assert sandbox.run("wait", second).returncode == 0
    assert sandbox.show(second)["result_content"] == "Two."
    assert conversations() == 2
    assert_fully_recorded(sandbox, second)


@pytest.mark.parametrize("step", ["replace_query:call", "replace_query:return", "spawn:call"])
def test_session_after_another_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script(f"[first]\n{GATED_SCRIPT}\n\n[second]\nsay Done.")
    first = sandbox.launch("first", "--allowed-tools", "Bash")
    crash_at(sandbox, step)
    second = sandbox.launch("second {result:last}", "--after", first)
    sandbox.release()
    assert sandbox.run("wait", second).returncode == 0
    session = sandbox.show(second)
    assert (session["result_content"], session["sent_query"]) == ("Done.", "second Two.")
    assert sandbox.server is not None
    assert "second Two." in str(sandbox.server.requests[-1]["messages"])
    assert_fully_recorded(sandbox, second)


@pytest.mark.parametrize("step", ["find_failure:return", "end:return"])
def test_failing_chain_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script("[first]\nhang\n\n[second]\nsay Done.")
    first = sandbox.launch("first")
    crash_at(sandbox, step)
    second = sandbox.launch("second", "--after", first)
    third = sandbox.launch("second", "--after", second, "--on-end", "echo ended >> told")
    sandbox.ok("interrupt", first)
    reasons = "SELECT end_reason FROM sessions WHERE id IN (?, ?)"
    # Without any command.
    eventually(lambda: sandbox.sql(reasons, second, third) == [("dependency_failed",)] * 2, "the end of the chain")
    eventually((sandbox.work / "told").exists, "the command")
    eventually(lambda: not sandbox.processes(), "all processes to leave")
    assert (sandbox.work / "told").read_text() == "ended\n"


@pytest.mark.parametrize(
    "step",
    [
        "ProcessMonitor._record_restart:call",
        "mark_restarting:call",
        "mark_restarting:return",
        "Reducer.begin_run:return",
        "SessionLifecycle._next_process:call",
        "resume_arguments:return",
        "mark_started:call:2",
        "conclude:call",
    ],
)
def test_restart_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script('call Bash {"command": "echo one"}\n\nfail 529 x2 Overloaded\n\nsay Two.')
    crash_at(sandbox, step)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash", "--retries", "1")
    assert sandbox.run("wait", session_id).returncode == 0
    assert sandbox.show(session_id)["result_content"] == "Two."
    assert len(sandbox.sql("SELECT 1 FROM conversation_events WHERE note_kind = 'restart'")) == 1
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize(
    "step", ["end:return", "SessionLifecycle._finish:call", "run:call", "mark_on_end_done:call", "run:return"]
)
def test_on_end_command_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script("say One.")
    crash_at(sandbox, step)
    session_id = sandbox.launch("Hello", "--on-end", "echo ended >> told")
    sandbox.wait_for_end(session_id)
    eventually((sandbox.root / "killed").exists, "the step")
    eventually(
        lambda: sandbox.ok("ls") and sandbox.sql("SELECT sum(on_end_pending) FROM sessions") == [(0,)], "the command"
    )
    assert (sandbox.work / "told").read_text() == "ended\n"
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize(
    "step",
    [
        "judge:call",
        "begin_try:call",
        "begin_try:return",
        "CheckCommand.wait:call",
        "CheckCommand.wait:return",
        "restart_after_try:call",
        "restart_after_try:return",
        "_first_line_of_restart:call",
        "_first_line_of_restart:return",
        "end_passed_try:call",
        "end_passed_try:return",
        "judge:return",
    ],
)
def test_check_survives_a_kill_at_each_step(sandbox: Sandbox, step: str) -> None:
    sandbox.serve_script('say One.\n\n[The check]\ncall Bash {"command": "touch fixed"}\n\nsay Two.')
    crash_at(sandbox, step)
    check = "echo $HLDCTL_CHECK_TRY >> runs; test -e fixed"
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash", "--check", check)
    assert sandbox.run("wait", session_id).returncode == 0
    session = sandbox.show(session_id)
    assert (session["result_content"], session["check"]["tries"]) == ("Two.", 2)
    outputs = sandbox.sql("SELECT count(*) FROM conversation_events WHERE note_kind = 'check_output'")
    assert outputs == [(1,)]
    # The same try runs again.
    assert set((sandbox.work / "runs").read_text().split()) == {"1", "2"}
    assert_fully_recorded(sandbox, session_id)
