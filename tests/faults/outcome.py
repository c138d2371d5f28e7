"""What is to be once a fault of the machine is over."""

from __future__ import annotations

import psutil

from tests.crash.audit import faults
from tests.helpers.sandbox import Completed, Sandbox, eventually


def assert_refused(done: Completed, *words: str) -> None:
    """Exit code 5 and one sentence or two, on one line."""
    assert done.returncode == 5, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("hldctl: ")
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr


def assert_nobody_is_left(sandbox: Sandbox) -> None:
    eventually(lambda: not sandbox.processes(), "all processes to leave")


def assert_recorded_whole(sandbox: Sandbox, session_id: str) -> None:
    assert_nobody_is_left(sandbox)
    assert faults(sandbox, session_id) == []


def assert_succeeded(sandbox: Sandbox, session_id: str, result: str) -> None:
    """In spite of all, and every line of the journal is recorded."""
    session = sandbox.ended(session_id)
    assert (session["end_reason"], session["result_content"]) == ("success", result)
    assert_recorded_whole(sandbox, session_id)


def supervisor_of(sandbox: Sandbox, session_id: str) -> psutil.Process:
    ((pid,),) = sandbox.sql("SELECT supervisor_pid FROM sessions WHERE id = ?", session_id)
    return psutil.Process(pid)


def claude_of(sandbox: Sandbox, session_id: str) -> psutil.Process:
    ((pid,),) = sandbox.sql("SELECT pid FROM sessions WHERE id = ?", session_id)
    return psutil.Process(pid)


def has_trouble(sandbox: Sandbox, session_id: str, words: str) -> None:
    """Waits until the supervisor has met the fault."""
    log = sandbox.files(session_id).log
    eventually(lambda: words in log.read_text(), f"{words!r} in the log")
