"""Machines on which other processes are invisible: Claude Code runs, and commands do not report otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.namespace import Namespace
from tests.faults.outcome import assert_fully_recorded, assert_no_process_is_left, claude_process, supervisor_process
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, kill_and_wait

# Keep the part of /proc in which a process sees itself: without it Claude Code 2.1.331 does not start.
HIDE = """
mkdir seen
mount --rbind /proc seen
mount -t tmpfs none /proc
for name in self thread-self sys cpuinfo meminfo stat mounts; do ln -s $PWD/seen/$name /proc/$name; done
"""


@pytest.fixture
def unseen(sandbox: Sandbox) -> Iterator[Namespace]:
    """Run all commands of the sandbox where no process can be found by its pid."""
    namespace = Namespace(sandbox, HIDE)
    yield namespace
    sandbox.close()
    namespace.close()


@pytest.fixture
def without_proc(sandbox: Sandbox) -> Iterator[None]:
    namespace = Namespace(sandbox, "mount -t tmpfs none /proc")
    yield
    sandbox.close()
    namespace.close()


@pytest.mark.usefixtures("unseen")
def test_launch_succeeds_and_the_session_runs_to_its_end(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Go", "--allowed-tools", "Bash", "--on-end", "echo ran >> ran")
    session = sandbox.show(session_id)
    assert (session["status"], session["pid"]) == ("running", claude_process(sandbox, session_id).pid)
    sandbox.release()
    assert sandbox.run("wait", session_id).returncode == 0
    session = sandbox.show(session_id)
    assert (session["end_reason"], session["exit_code"], session["result_content"]) == ("success", 0, "Two.")
    assert_fully_recorded(sandbox, session_id)
    assert (sandbox.work / "ran").read_text() == "ran\n"


@pytest.mark.usefixtures("without_proc")
def test_launch_without_proc_reports_claude_codes_error(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.")
    session_id = sandbox.launch("Go")
    assert sandbox.run("wait", session_id).returncode == 1
    assert "Can't access working directory" in sandbox.show(session_id)["error_message"]
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.usefixtures("unseen")
def test_session_is_interrupted_by_its_supervisor(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.\nhang")
    session_id = sandbox.launch("Go")
    sandbox.wait_for_journal(session_id, "One.")
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["end_reason"] == "interrupted"
    assert_no_process_is_left(sandbox)


def test_session_without_a_supervisor_is_not_considered_lost(sandbox: Sandbox, unseen: Namespace) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Go", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    kill_and_wait(supervisor_process(sandbox, session_id))
    claude = claude_process(sandbox, session_id)
    assert sandbox.show(session_id)["status"] == "running"
    eventually(lambda: not sandbox.supervisors(), "the adopter to leave")
    # If processes are visible, it is found by its marker and adopted.
    sandbox.prefix = ()
    session = sandbox.show(session_id)
    assert (session["status"], session["pid"]) == ("running", claude.pid)
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Two."
    assert_fully_recorded(sandbox, session_id)
