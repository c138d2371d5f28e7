"""Adoption: after the death of a supervisor, the next command starts another one and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import psutil
import pytest

from hldctl.supervisor.claude_process import AdoptedProcess
from hldctl.supervisor.termination import descendants
from hldctl.system import file_lock
from hldctl.system.processes import ProcessIdentity
from tests.helpers.sandbox import GATED_SCRIPT, TIMEOUT_SECONDS, Json, Sandbox, eventually, is_dead, kill_and_wait

SCRIPT = """
think Let me see.
say One.
wait 500ms
say Two.
call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done; echo out"}

say Three.
"""
VOLATILE = {"session_id", "sequence", "created_at", "tool_id", "tool_result_for_id"}


def stable_events(events: list[Json]) -> list[Json]:
    """Return the events without the values and notes that differ from run to run, such as durations of tools."""
    without_notes = [event for event in events if event["event_type"] != "system"]
    return [{name: value for name, value in event.items() if name not in VOLATILE} for event in without_notes]


def kill_supervisor(sandbox: Sandbox, session_id: str) -> None:
    """Kill a supervisor and its guard, which would start another one, as a machine without memory does."""
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    for process in (*sandbox.guards(), supervisor):
        kill_and_wait(process)


@pytest.mark.parametrize("next_command", ["ls", "show", "tail", "tail -f", "wait"])
def test_next_command_adopts_a_session_killed_in_mid_stream(sandbox: Sandbox, next_command: str) -> None:
    sandbox.serve_script(SCRIPT)
    unharmed = sandbox.launch("Hello", "--allowed-tools", "Bash")
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "One.")
    before = sandbox.show(session_id)
    kill_supervisor(sandbox, session_id)
    arguments = [*next_command.split(), *([] if next_command == "ls" else [session_id])]
    with sandbox.popen(*arguments, stdout=subprocess.DEVNULL) as command:
        eventually(lambda: not file_lock.is_free(sandbox.files(session_id).lock), "another supervisor")
        sandbox.release()
        assert command.wait(TIMEOUT_SECONDS) == 0
    after = sandbox.wait_for_end(session_id)
    assert after["supervisor_pid"] != before["supervisor_pid"]
    assert after["pid"] == before["pid"]
    assert (after["status"], after["end_reason"]) == ("completed", "success")
    sandbox.wait_for_end(unharmed)
    events = sandbox.events(session_id)
    assert stable_events(events) == stable_events(sandbox.events(unharmed))
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))


def test_next_command_records_an_unsupervised_end(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "One.")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    sandbox.release()
    claude.wait(TIMEOUT_SECONDS)
    (line,) = sandbox.ok("ls", "--format", "{status} {end_reason} {result_content}").splitlines()
    assert line == "completed success Three."


def test_claude_killed_while_unsupervised_is_lost(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "One.")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    claude.kill()
    claude.wait(TIMEOUT_SECONDS)
    session = sandbox.show(session_id)
    assert (session["status"], session["end_reason"]) == ("failed", "lost")
    assert sandbox.run("wait", session_id).returncode == 1


def test_orphaned_session_can_be_interrupted(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    kill_supervisor(sandbox, session_id)
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["status"] == "interrupted"


def test_twenty_concurrent_commands_start_one_supervisor(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    kill_supervisor(sandbox, session_id)
    commands = [sandbox.popen("show", session_id) for _ in range(20)]
    assert [command.communicate(timeout=TIMEOUT_SECONDS)[1] for command in commands] == [""] * 20
    eventually(lambda: len(sandbox.processes()) == 3, "all but Claude Code, one supervisor and its guard to leave")
    pids = {process.pid for process in sandbox.processes()}
    session = sandbox.show(session_id)
    assert pids == {session["pid"], session["supervisor_pid"], *(guard.pid for guard in sandbox.guards())}
    sandbox.ok("interrupt", session_id)


def test_follower_adopts_an_orphaned_session(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    with sandbox.popen("tail", "-f", session_id) as follower:
        sandbox.wait_for_journal(session_id, "One.")
        os.kill(sandbox.show(session_id)["supervisor_pid"], signal.SIGKILL)
        sandbox.release()
        output, _ = follower.communicate(timeout=TIMEOUT_SECONDS)
        assert [line for line in output.splitlines() if line.startswith(("user:", "claude:"))] == [
            *("user: Hello", "claude: One.", "claude: Two.")
        ]
    assert follower.returncode == 0


def test_unproven_pid_is_never_killed(sandbox: Sandbox) -> None:
    """After a reboot the recorded pid belongs to another process; neither it nor its children are this session's."""
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    claude.kill()
    claude.wait(TIMEOUT_SECONDS)
    innocent = subprocess.Popen(["sh", "-c", "sleep 60 & wait"])
    sandbox.sql("UPDATE sessions SET pid = ? WHERE id = ?", innocent.pid, session_id)
    assert sandbox.show(session_id)["end_reason"] == "lost"
    (child,) = psutil.Process(innocent.pid).children()
    child.kill()
    assert innocent.wait(TIMEOUT_SECONDS) == 0


def test_session_without_a_recorded_pid_has_no_ancestor(sandbox: Sandbox) -> None:
    nobody = AdoptedProcess(ProcessIdentity(0, "", 0))
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as own:
        assert set(descendants(nobody, "no session")) <= {child.pid for child in psutil.Process().children(True)}
        own.kill()


@pytest.mark.parametrize("alive", [True, False])
def test_death_before_the_pid_is_recorded_is_handled(sandbox: Sandbox, alive: bool) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    if not alive:
        claude.kill()
        claude.wait(TIMEOUT_SECONDS)
    change = "UPDATE sessions SET pid = NULL, pid_started = NULL, boot_id = NULL, status = 'starting' WHERE id = ?"
    sandbox.sql(change, session_id)
    session = sandbox.show(session_id)
    if alive:
        assert (session["status"], session["pid"]) == ("running", claude.pid)
        sandbox.ok("interrupt", session_id)
        assert is_dead(claude)
    else:
        assert (session["status"], session["end_reason"]) == ("failed", "lost")


def test_many_commands_can_read_a_dead_session_at_once(sandbox: Sandbox) -> None:
    """Commands that wait for the lock are not leftover processes of the session."""
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    claude.kill()
    claude.wait(TIMEOUT_SECONDS)
    commands = [sandbox.popen("wait", session_id) for _ in range(6)]
    outputs = [command.communicate(timeout=TIMEOUT_SECONDS) for command in commands]
    assert [output for output, _ in outputs] == [""] * 6
    assert {command.returncode for command in commands} == {1}


def test_unsupervised_end_is_not_recorded_as_interrupted(sandbox: Sandbox) -> None:
    sandbox.fake_claude(
        "while not os.path.exists('go-on'):\n    time.sleep(0.05)\n"
        'print(json.dumps({"type": "result", "subtype": "error_max_turns", "is_error": True}))\nsys.exit(1)'
    )
    session_id = sandbox.launch("Hello")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill_supervisor(sandbox, session_id)
    sandbox.release()
    claude.wait(TIMEOUT_SECONDS)
    assert sandbox.run("interrupt", session_id).returncode == 4
    assert sandbox.show(session_id)["end_reason"] == "max_turns"


def test_deleted_files_end_the_session_instead_of_blocking(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    sandbox.power_off()
    shutil.rmtree(sandbox.files(session_id).directory)
    eventually(lambda: not sandbox.processes(), "all to die")
    assert sandbox.run("wait", session_id).returncode == 1
    assert sandbox.show(session_id)["end_reason"] == "lost"
    assert sandbox.run("tail", "--raw", session_id).returncode == 5


def test_session_of_another_host_is_not_adopted(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    pid = sandbox.show(session_id)["pid"]
    kill_supervisor(sandbox, session_id)
    sandbox.sql("UPDATE sessions SET host = 'elsewhere' WHERE id = ?", session_id)
    # Another host name with the same boot id is this machine, renamed.
    assert sandbox.show(session_id)["status"] == "running"
    assert not file_lock.is_free(sandbox.files(session_id).lock)
    kill_supervisor(sandbox, session_id)
    sandbox.sql("UPDATE sessions SET boot_id = 'another' WHERE id = ?", session_id)
    assert sandbox.show(session_id)["status"] == "running"
    refused = sandbox.run("interrupt", session_id)
    assert (refused.returncode, "elsewhere" in refused.stderr) == (4, True)
    assert sandbox.ok("interrupt", "--all") == ""
    assert psutil.pid_exists(pid)
