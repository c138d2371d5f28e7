"""Committed interrupts, answers and rules take effect even if the signal that wakes their reader is lost."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from tests.faults.injection import Injection
from tests.faults.outcome import assert_no_process_is_left, supervisor_process
from tests.helpers.kill_at import INJECTED_DIRECTORY
from tests.helpers.sandbox import Json, Sandbox, eventually

# Seconds: a check every five seconds, the end of Claude Code, and a loaded machine.
SOON = 60.0
WORKS = 'call Bash {"command": "touch runs; until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Two.'
ASKS = 'call Bash {"command": "touch made"}\n\nsay Done.'
WHOLE_SECOND = 1_000_000_000_000_000_000
LONG_AGO = 1_000_000_123_456_789


def launch_working(sandbox: Sandbox) -> str:
    sandbox.serve_script(WORKS)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    eventually((sandbox.work / "runs").exists, "the tool to run")
    return session_id


def launch_asking(sandbox: Sandbox) -> tuple[str, str]:
    """Launch a session that asks for permission; return its id and the request's."""
    sandbox.serve_script(ASKS)
    session_id = sandbox.launch("Hello", "--approvals")
    (request,) = eventually(lambda: sandbox.sql("SELECT id FROM approvals WHERE status = 'pending'"), "the request")
    return session_id, request[0]


def run_and_kill_before_touch(sandbox: Sandbox, *arguments: str) -> None:
    """Run a command that is killed after its commit, before it sends a signal."""
    marker = sandbox.root / "killed"
    done = sandbox.run(
        *arguments,
        environment={
            "PYTHONPATH": str(INJECTED_DIRECTORY),
            "HLDCTL_TEST_KILL_AT": "touch:call",
            "HLDCTL_TEST_KILL_MARKER": str(marker),
            "HLDCTL_TEST_KILL_PROGRAM": "hldctl",
        },
    )
    assert done.returncode == -9, done.stderr
    assert marker.exists()


def wait_for_end(sandbox: Sandbox, session_id: str) -> Json:
    """Wait for the end without waking the supervisor, then return the session."""
    query = "SELECT completed_at FROM sessions WHERE id = ?"
    eventually(lambda: sandbox.sql(query, session_id)[0][0], "its end", SOON)
    return sandbox.show(session_id)


def test_interrupt_killed_before_its_signal_is_carried_out(sandbox: Sandbox) -> None:
    session_id = launch_working(sandbox)
    run_and_kill_before_touch(sandbox, "interrupt", session_id)
    assert wait_for_end(sandbox, session_id)["end_reason"] == "interrupted"
    assert_no_process_is_left(sandbox)


def test_killed_second_interrupt_is_carried_out(sandbox: Sandbox) -> None:
    """The supervisor waits for the end of a long grace period."""
    sandbox.fake_claude('signal.signal(signal.SIGINT, signal.SIG_IGN)\nopen("runs", "w")\nwhile True: time.sleep(1)')
    session_id = sandbox.launch("Hello")
    eventually((sandbox.work / "runs").exists, "it to run")
    sandbox.ok("interrupt", session_id, "--timeout", "1h", "--no-wait")
    files = sandbox.files(session_id)
    eventually(
        lambda: files.wake_answer.stat().st_mtime == files.wake_signal.stat().st_mtime,
        "the supervisor to have heard it",
    )
    run_and_kill_before_touch(sandbox, "interrupt", session_id, "--timeout", "0")
    assert wait_for_end(sandbox, session_id)["end_reason"] == "interrupted"


def test_killed_interrupt_of_a_queued_session_is_carried_out(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    first = launch_working(sandbox)
    queued = sandbox.launch("Hello")
    run_and_kill_before_touch(sandbox, "interrupt", queued)
    assert wait_for_end(sandbox, queued)["end_reason"] == "interrupted"
    sandbox.ok("interrupt", first)


@pytest.mark.parametrize("arguments", [["approve"], ["approve", "--always"], ["deny"]], ids=" ".join)
def test_answer_killed_before_its_signal_is_delivered(sandbox: Sandbox, arguments: list[str]) -> None:
    session_id, request = launch_asking(sandbox)
    run_and_kill_before_touch(sandbox, *arguments, request)
    wait_for_end(sandbox, session_id)
    assert (sandbox.work / "made").exists() == (arguments[0] == "approve")


def test_rule_of_a_killed_command_answers_pending_requests(sandbox: Sandbox) -> None:
    session_id, _ = launch_asking(sandbox)
    run_and_kill_before_touch(sandbox, "set", session_id, "--dangerously-skip-permissions")
    wait_for_end(sandbox, session_id)
    assert (sandbox.work / "made").exists()


@pytest.mark.parametrize("time_ns", [WHOLE_SECOND, LONG_AGO], ids=["whole seconds", "a clock set back"])
def test_interrupt_with_an_unchanged_mtime_is_carried_out(sandbox: Sandbox, time_ns: int) -> None:
    session_id = launch_working(sandbox)
    touches = Injection(sandbox).environment(f"touch-at:{time_ns}")
    wake = sandbox.files(session_id).wake_signal
    sandbox.ok("set", session_id, "--title", "Something", environment=touches)
    eventually(
        lambda: wake.stat().st_mtime_ns == sandbox.files(session_id).wake_answer.stat().st_mtime_ns, "it to be heard"
    )
    sandbox.ok("interrupt", session_id, "--no-wait", environment=touches)
    assert wake.stat().st_mtime_ns == time_ns
    assert wait_for_end(sandbox, session_id)["end_reason"] == "interrupted"


def test_interrupt_replaces_a_stopped_supervisor(sandbox: Sandbox) -> None:
    session_id = launch_working(sandbox)
    supervisor_process(sandbox, session_id).suspend()
    started = time.monotonic()
    assert sandbox.ok("interrupt", session_id, "--timeout", "1s") == f"{session_id} interrupted\n"
    assert time.monotonic() - started < SOON
    assert_no_process_is_left(sandbox)


def test_supervisor_stopped_during_an_interrupt_is_replaced(sandbox: Sandbox) -> None:
    """The supervisor has read the interrupt and sent the first signal."""
    sandbox.fake_claude('signal.signal(signal.SIGINT, lambda *_: open("met", "w"))\nwhile True: time.sleep(1)')
    session_id = sandbox.launch("Hello")
    with sandbox.popen("interrupt", session_id, "--timeout", "3s") as interrupting:
        try:
            eventually((sandbox.work / "met").exists, "the first signal")
            supervisor_process(sandbox, session_id).suspend()
            assert interrupting.wait(SOON) == 0
        finally:
            interrupting.kill()
    assert sandbox.show(session_id)["end_reason"] == "interrupted"
    assert_no_process_is_left(sandbox)


def test_interrupt_replaces_a_queued_sessions_stopped_supervisor(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    first = launch_working(sandbox)
    queued = sandbox.launch("Hello")
    supervisor_process(sandbox, queued).suspend()
    assert sandbox.ok("interrupt", queued) == f"{queued} interrupted\n"
    sandbox.ok("interrupt", first)
    assert_no_process_is_left(sandbox)


def test_forced_rm_replaces_a_stopped_supervisor(sandbox: Sandbox) -> None:
    session_id = launch_working(sandbox)
    supervisor_process(sandbox, session_id).suspend()
    sandbox.ok("rm", "--force", session_id)
    assert sandbox.ok("ls", "-q") == ""
    assert_no_process_is_left(sandbox)


def test_successor_of_a_stopped_session_replaces_its_supervisor(sandbox: Sandbox) -> None:
    sandbox.serve_script(WORKS)
    options = ["--name", "nightly", "--allowed-tools", "Bash"]
    first = sandbox.launch("Hello", *options)
    eventually((sandbox.work / "runs").exists, "the tool to run")
    supervisor_process(sandbox, first).suspend()
    second = sandbox.launch("Hello", *options, "--if-running", "replace")
    assert sandbox.show(first)["end_reason"] == "interrupted"
    sandbox.ok("interrupt", second)


def test_doctor_names_and_replaces_a_stopped_supervisor(sandbox: Sandbox) -> None:
    session_id = launch_working(sandbox)
    stopped = supervisor_process(sandbox, session_id)
    claude = sandbox.show(session_id)["pid"]
    assert "does not respond" not in sandbox.run("doctor").stdout
    stopped.suspend()
    done = sandbox.run("doctor")
    assert done.returncode == 5
    assert f"1 session ({session_id[:8]}) with a supervisor that does not respond" in done.stdout
    assert stopped.is_running()
    assert "does not respond" in sandbox.run("doctor", "--fix").stdout
    eventually(lambda: not stopped.is_running() or stopped.status() == psutil.STATUS_ZOMBIE, "it to be killed")
    assert "does not respond" not in sandbox.run("doctor").stdout
    assert (sandbox.show(session_id)["pid"], sandbox.show(session_id)["status"]) == (claude, "running")
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Two."


def test_process_that_only_opened_the_lock_file_is_left_alone(sandbox: Sandbox) -> None:
    session_id = launch_working(sandbox)
    with open(sandbox.files(session_id).lock, "rb") as lock:
        os.set_inheritable(lock.fileno(), True)
        with sandbox.popen("events", "-f", close_fds=False) as bystander:
            try:
                supervisor_process(sandbox, session_id).suspend()
                sandbox.ok("interrupt", session_id)
                assert bystander.poll() is None
            finally:
                bystander.kill()
