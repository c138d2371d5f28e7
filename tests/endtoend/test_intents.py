"""What is committed is carried out, though nobody is woken for it: by a touch that is lost, or that never came."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from tests.faults.injection import Injection
from tests.faults.outcome import assert_no_process_is_left, supervisor_process
from tests.helpers.kill_at import INJECTED
from tests.helpers.sandbox import Json, Sandbox, eventually

SOON = 60.0
"""Seconds: a look each five, Claude Code's end, and a loaded machine."""
WORKS = 'call Bash {"command": "touch runs; until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Two.'
ASKS = 'call Bash {"command": "touch made"}\n\nsay Done.'
WHOLE_SECOND = 1_000_000_000_000_000_000
LONG_AGO = 1_000_000_123_456_789


def working(sandbox: Sandbox) -> str:
    sandbox.play(WORKS)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    eventually((sandbox.work / "runs").exists, "the tool to run")
    return session_id


def asking(sandbox: Sandbox) -> tuple[str, str]:
    """The session, and its request."""
    sandbox.play(ASKS)
    session_id = sandbox.launch("Hello", "--approvals")
    (request,) = eventually(lambda: sandbox.sql("SELECT id FROM approvals WHERE status = 'pending'"), "the request")
    return session_id, request[0]


def killed_before_its_touch(sandbox: Sandbox, *words: str) -> None:
    """Runs a command that is killed once it has committed, before it wakes anybody."""
    marker = sandbox.root / "killed"
    done = sandbox.run(
        *words,
        environment={
            "PYTHONPATH": str(INJECTED),
            "HLDCTL_TEST_KILL_AT": "touch:call",
            "HLDCTL_TEST_KILL_MARKER": str(marker),
            "HLDCTL_TEST_KILL_PROGRAM": "hldctl",
        },
    )
    assert done.returncode == -9, done.stderr
    assert marker.exists()


def end_soon(sandbox: Sandbox, session_id: str) -> Json:
    """The session; nothing that reads it wakes its supervisor."""
    query = "SELECT completed_at FROM sessions WHERE id = ?"
    eventually(lambda: sandbox.sql(query, session_id)[0][0], "its end", SOON)
    return sandbox.show(session_id)


def test_interrupt_killed_before_its_signal_is_carried_out(sandbox: Sandbox) -> None:
    session_id = working(sandbox)
    killed_before_its_touch(sandbox, "interrupt", session_id)
    assert end_soon(sandbox, session_id)["end_reason"] == "interrupted"
    assert_no_process_is_left(sandbox)


def test_killed_second_interrupt_is_carried_out(sandbox: Sandbox) -> None:
    """While the supervisor waits for the end of a long grace period."""
    sandbox.claude('signal.signal(signal.SIGINT, signal.SIG_IGN)\nopen("runs", "w")\nwhile True: time.sleep(1)')
    session_id = sandbox.launch("Hello")
    eventually((sandbox.work / "runs").exists, "it to run")
    sandbox.ok("interrupt", session_id, "--timeout", "1h", "--no-wait")
    heard = sandbox.files(session_id)
    eventually(
        lambda: heard.wake_answer.stat().st_mtime == heard.wake_signal.stat().st_mtime,
        "the supervisor to have heard it",
    )
    killed_before_its_touch(sandbox, "interrupt", session_id, "--timeout", "0")
    assert end_soon(sandbox, session_id)["end_reason"] == "interrupted"


def test_killed_interrupt_of_a_queued_session_is_carried_out(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    first = working(sandbox)
    queued = sandbox.launch("Hello")
    killed_before_its_touch(sandbox, "interrupt", queued)
    assert end_soon(sandbox, queued)["end_reason"] == "interrupted"
    sandbox.ok("interrupt", first)


@pytest.mark.parametrize("words", [["approve"], ["approve", "--always"], ["deny"]], ids=" ".join)
def test_answer_killed_before_its_signal_is_delivered(sandbox: Sandbox, words: list[str]) -> None:
    session_id, request = asking(sandbox)
    killed_before_its_touch(sandbox, *words, request)
    end_soon(sandbox, session_id)
    assert (sandbox.work / "made").exists() == (words[0] == "approve")


def test_rule_of_a_killed_command_answers_pending_requests(sandbox: Sandbox) -> None:
    session_id, _ = asking(sandbox)
    killed_before_its_touch(sandbox, "set", session_id, "--dangerously-skip-permissions")
    end_soon(sandbox, session_id)
    assert (sandbox.work / "made").exists()


@pytest.mark.parametrize("moment", [WHOLE_SECOND, LONG_AGO], ids=["whole seconds", "a clock set back"])
def test_interrupt_with_an_unchanged_mtime_is_carried_out(sandbox: Sandbox, moment: int) -> None:
    session_id = working(sandbox)
    touches = Injection(sandbox).environment(f"touch-at:{moment}")
    wake = sandbox.files(session_id).wake_signal
    sandbox.ok("set", session_id, "--title", "Something", environment=touches)
    eventually(
        lambda: wake.stat().st_mtime_ns == sandbox.files(session_id).wake_answer.stat().st_mtime_ns, "it to be heard"
    )
    sandbox.ok("interrupt", session_id, "--no-wait", environment=touches)
    assert wake.stat().st_mtime_ns == moment
    assert end_soon(sandbox, session_id)["end_reason"] == "interrupted"


def test_interrupt_replaces_a_stopped_supervisor(sandbox: Sandbox) -> None:
    session_id = working(sandbox)
    supervisor_process(sandbox, session_id).suspend()
    begun = time.monotonic()
    assert sandbox.ok("interrupt", session_id, "--timeout", "1s") == f"{session_id} interrupted\n"
    assert time.monotonic() - begun < SOON
    assert_no_process_is_left(sandbox)


def test_supervisor_stopped_during_an_interrupt_is_replaced(sandbox: Sandbox) -> None:
    """It has taken the request, and even sent the first signal."""
    sandbox.claude('signal.signal(signal.SIGINT, lambda *_: open("met", "w"))\nwhile True: time.sleep(1)')
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
    first = working(sandbox)
    queued = sandbox.launch("Hello")
    supervisor_process(sandbox, queued).suspend()
    assert sandbox.ok("interrupt", queued) == f"{queued} interrupted\n"
    sandbox.ok("interrupt", first)
    assert_no_process_is_left(sandbox)


def test_forced_rm_replaces_a_stopped_supervisor(sandbox: Sandbox) -> None:
    session_id = working(sandbox)
    supervisor_process(sandbox, session_id).suspend()
    sandbox.ok("rm", "--force", session_id)
    assert sandbox.ok("ls", "-q") == ""
    assert_no_process_is_left(sandbox)


def test_successor_of_a_stopped_session_replaces_its_supervisor(sandbox: Sandbox) -> None:
    sandbox.play(WORKS)
    options = ["--name", "nightly", "--allowed-tools", "Bash"]
    first = sandbox.launch("Hello", *options)
    eventually((sandbox.work / "runs").exists, "the tool to run")
    supervisor_process(sandbox, first).suspend()
    second = sandbox.launch("Hello", *options, "--if-running", "replace")
    assert sandbox.show(first)["end_reason"] == "interrupted"
    sandbox.ok("interrupt", second)


def test_doctor_names_and_replaces_a_stopped_supervisor(sandbox: Sandbox) -> None:
    session_id = working(sandbox)
    stopped = supervisor_process(sandbox, session_id)
    claude = sandbox.show(session_id)["pid"]
    assert "does not respond" not in sandbox.run("doctor").stdout
    stopped.suspend()
    said = sandbox.run("doctor")
    assert said.returncode == 5
    assert f"1 session ({session_id[:8]}) with a supervisor that does not respond" in said.stdout
    assert stopped.is_running()
    assert "does not respond" in sandbox.run("doctor", "--fix").stdout
    eventually(lambda: not stopped.is_running() or stopped.status() == psutil.STATUS_ZOMBIE, "it to be killed")
    assert "does not respond" not in sandbox.run("doctor").stdout
    assert (sandbox.show(session_id)["pid"], sandbox.show(session_id)["status"]) == (claude, "running")
    sandbox.go_on()
    assert sandbox.ended(session_id)["result_content"] == "Two."


def test_process_that_only_opened_the_lock_file_is_left_alone(sandbox: Sandbox) -> None:
    session_id = working(sandbox)
    with open(sandbox.files(session_id).lock, "rb") as lock:
        os.set_inheritable(lock.fileno(), True)
        with sandbox.popen("events", "-f", close_fds=False) as bystander:
            try:
                supervisor_process(sandbox, session_id).suspend()
                sandbox.ok("interrupt", session_id)
                assert bystander.poll() is None
            finally:
                bystander.kill()
