"""Sessions that are kept open: they wait for messages after their turn, without a slot."""

from __future__ import annotations

import psutil

from tests.helpers.messages import launch_gated
from tests.helpers.restarts import skip_delay, wait_for_restart
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, kill_and_wait

SCRIPT = "say One.\n\n[second]\nsay Two.\n"


def launch_kept_open(sandbox: Sandbox, *arguments: str) -> str:
    """Launch a session that is kept open, and wait until it is idle."""
    sandbox.serve_script(SCRIPT)
    session_id = sandbox.launch("First", "--keep-open", *arguments)
    sandbox.ok("wait", "--until", "idle", session_id)
    return session_id


def test_message_to_an_idle_session_begins_a_turn(sandbox: Sandbox) -> None:
    session_id = launch_kept_open(sandbox)
    assert sandbox.ok("send", "--wait", session_id, "second") == "Two.\n"
    sandbox.ok("wait", "--until", "idle", session_id)
    assert sandbox.ok("close", session_id) == f"{session_id} completed\n"
    session = sandbox.show(session_id)
    assert (session["end_reason"], session["result_content"], session["num_turns"]) == ("success", "Two.", 2)
    eventually(lambda: not sandbox.processes(), "all processes to exit")


def test_idle_timeout_ends_an_idle_session_as_completed(sandbox: Sandbox) -> None:
    session_id = launch_kept_open(sandbox, "--idle-timeout", "3s")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"


def test_interrupt_ends_an_idle_session(sandbox: Sandbox) -> None:
    session_id = launch_kept_open(sandbox)
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["status"] == "interrupted"


def test_turns_of_all_sessions_are_interrupted_together(sandbox: Sandbox) -> None:
    options = ("--allowed-tools", "Bash", "--keep-open")
    ids = [launch_gated(sandbox, "--keep-open"), sandbox.launch("Hello", *options)]
    sandbox.wait_for_journal(ids[1], "go-on")
    assert sandbox.ok("interrupt", "--all", "--turn") == ""
    sandbox.ok("wait", "--until", "idle", *ids, "--timeout", "60s")
    # An idle session has no turn to interrupt.
    sandbox.ok("interrupt", "--all", "--turn")
    assert [sandbox.show(session_id)["status"] for session_id in ids] == ["idle", "idle"]


def test_closed_session_finishes_its_turn_and_refuses_messages(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--keep-open", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    sandbox.ok("close", "--no-wait", session_id)
    assert sandbox.run("send", session_id, "More").returncode == 4
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Two."


def test_session_that_is_not_kept_open_cannot_be_closed(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    refused = sandbox.run("close", session_id)
    assert (refused.returncode, "not kept open" in refused.stderr) == (4, True)
    sandbox.release()


def test_idle_session_frees_its_slot_and_takes_one_again(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1\n")
    sandbox.serve_script(f"{SCRIPT}\n[gated]\n{GATED_SCRIPT}")
    kept = sandbox.launch("First", "--keep-open")
    sandbox.ok("wait", "--until", "idle", kept)
    other = sandbox.launch("gated", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(other, "go-on")
    with sandbox.popen("send", "--wait", kept, "second") as sender:
        eventually(lambda: sandbox.show(kept)["pending_messages"] == 1, "the message to wait")
        assert sandbox.show(kept)["status"] == "idle"
        sandbox.release()
        assert sender.communicate() == ("Two.\n", "")
    sandbox.ok("wait", other)
    sandbox.ok("close", kept)


def test_idle_session_survives_the_death_of_its_supervisor(sandbox: Sandbox) -> None:
    session_id = launch_kept_open(sandbox)
    supervisor = sandbox.show(session_id)["supervisor_pid"]
    kill_and_wait(psutil.Process(supervisor))
    eventually(lambda: sandbox.sql("SELECT supervisor_pid FROM sessions") != [(supervisor,)], "another supervisor")
    assert sandbox.ok("send", "--wait", session_id, "second") == "Two.\n"
    sandbox.ok("close", session_id)


def test_idle_session_survives_the_death_of_a_supervisor_that_adopts_it(sandbox: Sandbox) -> None:
    session_id = launch_kept_open(sandbox)
    kill_and_wait(sandbox.supervisors()[0])
    # It is loading its modules, and has no guard of its own.
    eventually(sandbox.supervisors, "another supervisor")[0].kill()
    assert sandbox.ok("send", "--wait", session_id, "second") == "Two.\n"
    assert sandbox.show(session_id)["status"] == "idle"


def lose_claude_and_supervisor(sandbox: Sandbox, session_id: str) -> None:
    """Kill Claude Code while no supervisor can see it, and restart it at once."""
    session = sandbox.show(session_id)
    supervisor = psutil.Process(session["supervisor_pid"])
    for process in (*sandbox.guards(), supervisor, psutil.Process(session["pid"])):
        kill_and_wait(process)
    sandbox.ok("ls")
    wait_for_restart(sandbox, session_id)
    skip_delay(sandbox, session_id)


def test_idle_session_with_retries_survives_the_death_of_all_its_processes(sandbox: Sandbox) -> None:
    session_id = launch_kept_open(sandbox, "--retries", "1")
    lose_claude_and_supervisor(sandbox, session_id)
    assert sandbox.ok("send", "--wait", session_id, "second") == "Two.\n"
    assert sandbox.show(session_id)["status"] == "idle"


def test_session_that_was_closed_remains_closed_after_a_restart(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("First", "--keep-open", "--retries", "1", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    sandbox.ok("close", session_id, "--no-wait")
    psutil.Process(sandbox.show(session_id)["pid"]).kill()
    wait_for_restart(sandbox, session_id)
    skip_delay(sandbox, session_id)
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert (session["status"], bool(session["result_content"])) == ("completed", True)
