"""A supervisor that dies costs nothing: whoever comes next starts another."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.sandbox import PATIENCE, Json, Sandbox, eventually

SCRIPT = """
think Let me see.
say One.
wait 1500ms
say Two.
call Bash {"command": "sleep 1.5; echo out"}

say Three.
"""
VOLATILE = {"session_id", "created_at", "tool_id", "tool_result_for_id"}


def story(events: list[Json]) -> list[Json]:
    """The events without what differs from run to run."""
    return [{name: value for name, value in event.items() if name not in VOLATILE} for event in events]


def kill_supervisor(sandbox: Sandbox, session_id: str) -> None:
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    supervisor.kill()
    eventually(lambda: not supervisor.is_running() or supervisor.status() == psutil.STATUS_ZOMBIE, "its death")


@pytest.mark.parametrize("next_command", ["ls", "show", "tail", "wait"])
def test_killed_in_mid_stream_the_next_command_adopts(sandbox: Sandbox, next_command: str) -> None:
    sandbox.play(SCRIPT)
    unharmed = sandbox.launch("Hello", "--allowed-tools", "Bash")
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.journal_has(session_id, "One.")
    before = sandbox.show(session_id)
    kill_supervisor(sandbox, session_id)
    sandbox.ok(next_command, *([] if next_command == "ls" else [session_id]))
    after = sandbox.ended(session_id)
    assert after["supervisor_pid"] != before["supervisor_pid"]
    assert after["pid"] == before["pid"]
    assert (after["status"], after["end_reason"]) == ("completed", "success")
    sandbox.ended(unharmed)
    assert story(sandbox.events(session_id)) == story(sandbox.events(unharmed))


def test_claude_that_ended_unsupervised_is_closed_by_the_next_command(sandbox: Sandbox) -> None:
    sandbox.play(SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.journal_has(session_id, "One.")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    claude.wait(PATIENCE)
    (line,) = sandbox.ok("ls", "--format", "{status} {end_reason} {result_content}").splitlines()
    assert line == "completed success Three."


def test_claude_that_was_killed_unsupervised_is_lost(sandbox: Sandbox) -> None:
    sandbox.play(SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.journal_has(session_id, "One.")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    claude.kill()
    claude.wait(PATIENCE)
    session = sandbox.show(session_id)
    assert (session["status"], session["end_reason"]) == ("failed", "lost")
    assert sandbox.run("wait", session_id).returncode == 1


def test_an_orphaned_session_can_be_interrupted(sandbox: Sandbox) -> None:
    sandbox.play("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.journal_has(session_id, "Here.")
    kill_supervisor(sandbox, session_id)
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["status"] == "interrupted"


def test_twenty_commands_at_once_start_one_supervisor(sandbox: Sandbox) -> None:
    sandbox.play("say Here.\nwait 20s\nsay Never said.")
    session_id = sandbox.launch("Hello")
    sandbox.journal_has(session_id, "Here.")
    kill_supervisor(sandbox, session_id)
    commands = [sandbox.popen("show", session_id) for _ in range(20)]
    assert [command.communicate(timeout=PATIENCE)[1] for command in commands] == [""] * 20
    eventually(lambda: len(sandbox.processes()) == 2, "all but Claude Code and one supervisor to leave")
    pids = {process.pid for process in sandbox.processes()}
    session = sandbox.show(session_id)
    assert pids == {session["pid"], session["supervisor_pid"]}
    sandbox.ok("interrupt", session_id)


def test_a_follower_adopts_without_being_asked(sandbox: Sandbox) -> None:
    sandbox.play("say One.\nwait 4s\nsay Two.")
    session_id = sandbox.launch("Hello")
    with sandbox.popen("tail", "-f", session_id) as follower:
        sandbox.journal_has(session_id, "One.")
        os.kill(sandbox.show(session_id)["supervisor_pid"], signal.SIGKILL)
        assert follower.communicate(timeout=PATIENCE)[0].splitlines() == ["user: Hello", "claude: One.", "claude: Two."]
    assert follower.returncode == 0
