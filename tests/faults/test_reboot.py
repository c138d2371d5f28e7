"""Reused pids after a reboot, and clock jumps: sessions end correctly, and other processes are not affected."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import psutil
import pytest

from hldctl.system.processes import identify
from tests.faults.outcome import (
    assert_fully_recorded,
    assert_no_process_is_left,
    assert_succeeded,
    claude_process,
    supervisor_process,
)
from tests.helpers.sandbox import GATED_SCRIPT, TIMEOUT_SECONDS, Sandbox, eventually

YEAR = 365 * 24 * 3600 * 1000


@pytest.fixture
def session_id(sandbox: Sandbox) -> str:
    sandbox.serve_script(GATED_SCRIPT)
    launched = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(launched, "go-on")
    return launched


@pytest.fixture
def innocent() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process with a child that does not belong to a session."""
    with subprocess.Popen(["sh", "-c", "sleep 1000 & wait"], start_new_session=True) as process:
        eventually(lambda: psutil.Process(process.pid).children(), "its child")
        yield process
        for child in psutil.Process(process.pid).children():
            child.kill()


@pytest.mark.parametrize("same_start", [True, False], ids=["same start", "other start"])
def test_pid_reused_after_a_reboot_is_not_the_session(
    sandbox: Sandbox, session_id: str, innocent: subprocess.Popen[bytes], same_start: bool
) -> None:
    sandbox.power_off()
    another = identify(innocent.pid)
    assert another is not None
    sandbox.sql(
        "UPDATE sessions SET pid = ?, pid_started = ?, boot_id = 'the last boot', supervisor_pid = ?",
        innocent.pid,
        another.started if same_start else 1,
        innocent.pid,
    )
    assert "lost" in sandbox.ok("ls", "--format", "{end_reason}")
    assert sandbox.run("interrupt", session_id).returncode == 4
    assert sandbox.run("wait", session_id).returncode == 1
    assert innocent.poll() is None
    assert psutil.Process(innocent.pid).children()
    assert_fully_recorded(sandbox, session_id)


def test_conversation_can_be_continued_after_a_reboot(sandbox: Sandbox, session_id: str) -> None:
    transcripts = sandbox.home / ".claude" / "projects"
    eventually(
        lambda: any("go-on" in path.read_text() for path in transcripts.glob(f"*/{session_id}.jsonl")),
        "Claude Code's own record of the conversation, without which it resumes nothing",
    )
    sandbox.power_off()
    sandbox.sql("UPDATE sessions SET boot_id = 'the last boot'")
    assert sandbox.show(session_id)["end_reason"] == "lost"
    sandbox.release()
    continuation = sandbox.ok("continue", session_id, "Go on", "--allowed-tools", "Bash").strip()
    assert sandbox.wait_for_end(continuation)["end_reason"] == "success"
    assert_fully_recorded(sandbox, continuation)


def test_session_finished_before_the_reboot_is_recorded_as_finished(sandbox: Sandbox, session_id: str) -> None:
    claude = claude_process(sandbox, session_id)
    supervisor_process(sandbox, session_id).kill()
    sandbox.release()
    claude.wait(TIMEOUT_SECONDS)
    sandbox.power_off()
    sandbox.sql("UPDATE sessions SET boot_id = 'the last boot'")
    assert_succeeded(sandbox, session_id, "Two.")


@pytest.mark.parametrize("jump", [-YEAR, YEAR], ids=["back", "forth"])
@pytest.mark.parametrize("adopted", [False, True], ids=["supervised", "adopted"])
def test_clock_jump_does_not_disturb_a_session(sandbox: Sandbox, session_id: str, jump: int, adopted: bool) -> None:
    if adopted:
        supervisor_process(sandbox, session_id).kill()
    sandbox.sql("UPDATE sessions SET created_at = created_at - ?, last_activity_at = last_activity_at - ?", jump, jump)
    sandbox.sql("UPDATE conversation_events SET created_at = created_at - ?", jump)
    assert session_id in sandbox.ok("ls", "-q")
    sandbox.release()
    assert_succeeded(sandbox, session_id, "Two.")
    events = sandbox.events(session_id)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("jump", [-YEAR, YEAR], ids=["back", "forth"])
def test_lost_session_has_no_negative_duration_after_a_clock_jump(sandbox: Sandbox, session_id: str, jump: int) -> None:
    sandbox.power_off()
    sandbox.sql("UPDATE sessions SET created_at = created_at - ?", jump)
    session = sandbox.show(session_id)
    assert session["status"] == "failed"
    assert session["duration_ms"] >= 0
    assert_no_process_is_left(sandbox)
