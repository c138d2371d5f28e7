"""Assertions about sessions and commands during a fault and after it."""

from __future__ import annotations

import psutil

from tests.crash.audit import faults
from tests.helpers.sandbox import Completed, Sandbox, eventually


def assert_refused(done: Completed, *words: str) -> None:
    """Assert that the command failed with exit code 5 and one line on standard error that contains the words."""
    assert done.returncode == 5, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("hldctl: ")
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr


def assert_no_process_is_left(sandbox: Sandbox) -> None:
    eventually(lambda: not sandbox.processes(), "all processes to leave")


def assert_fully_recorded(sandbox: Sandbox, session_id: str) -> None:
    assert_no_process_is_left(sandbox)
    assert faults(sandbox, session_id) == []


def assert_succeeded(sandbox: Sandbox, session_id: str, result: str) -> None:
    """Assert that the session ended with success and this result, and that its whole journal is recorded."""
    session = sandbox.wait_for_end(session_id)
    assert (session["end_reason"], session["result_content"]) == ("success", result)
    assert_fully_recorded(sandbox, session_id)


def supervisor_process(sandbox: Sandbox, session_id: str) -> psutil.Process:
    ((pid,),) = sandbox.sql("SELECT supervisor_pid FROM sessions WHERE id = ?", session_id)
    return psutil.Process(pid)


def claude_process(sandbox: Sandbox, session_id: str) -> psutil.Process:
    ((pid,),) = sandbox.sql("SELECT pid FROM sessions WHERE id = ?", session_id)
    return psutil.Process(pid)


def wait_for_trouble(sandbox: Sandbox, session_id: str, message: str) -> None:
    """Wait until the supervisor has logged the message."""
    log = sandbox.files(session_id).log
    eventually(lambda: message in log.read_text(), f"{message!r} in the log")
