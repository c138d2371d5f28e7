"""`hldctl rm` and `hldctl prune`: they delete sessions with all their data, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from hldctl.system import file_lock
from tests.helpers.kill_at import INJECTED_DIRECTORY
from tests.helpers.sandbox import Sandbox, eventually, is_dead, wait_until_asleep
from tests.helpers.terminal import Terminal

SUCCESS = """
print(json.dumps({"type": "assistant", "message": {"content": "x" * 1000}}))
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}))
"""
LOCKS = """
import fcntl, sys, time
lock = open(sys.argv[1])
fcntl.flock(lock, fcntl.LOCK_EX)
time.sleep(1000)
"""
TABLES = ("sessions", "conversation_events", "feed", "approvals", "mcp_servers", "file_snapshots")


@pytest.fixture
def ended(sandbox: Sandbox) -> list[str]:
    """Return the IDs of five ended sessions, the oldest first, each a day older than the next."""
    sandbox.fake_claude(SUCCESS)
    ids = [sandbox.launch(f"Number {number}") for number in range(5)]
    sandbox.ok("wait", *ids)
    eventually(lambda: not sandbox.processes(), "all to leave")
    for number, session_id in enumerate(reversed(ids)):
        age = number * 86_400_000
        sandbox.sql(
            "UPDATE sessions SET created_at = created_at - ?, completed_at = completed_at - ? WHERE id = ?",
            *(age, age, session_id),
        )
    return ids


def remaining(sandbox: Sandbox) -> set[str]:
    """Return the IDs of all sessions. Assert that files and rows in all tables agree with them."""
    listed = set(sandbox.ok("ls", "--all", "-q").split())
    assert {path.name for path in sandbox.state.sessions.iterdir()} == listed
    for table in TABLES[1:]:
        assert {row[0] for row in sandbox.sql(f"SELECT session_id FROM {table}")} <= listed
    return listed


def test_deletion_is_in_the_feed(sandbox: Sandbox, ended: list[str]) -> None:
    seen = json.loads(sandbox.ok("events", "--json").splitlines()[-1])["id"]
    sandbox.ok("rm", ended[1])
    sandbox.ok("prune", "--keep", "3")
    events = [json.loads(line) for line in sandbox.ok("events", "--json", "--after", str(seen)).splitlines()]
    assert [(event["type"], event["session_id"]) for event in events] == [
        ("session_deleted", ended[1]),
        ("session_deleted", ended[0]),
    ]
    assert events[0]["data"] == {"status": "completed", "name": None}
    assert seen < events[0]["id"] < events[1]["id"]
    assert sandbox.ok("events", "--json", "--type", "session_deleted").splitlines()[0] == json.dumps(events[0])
    new = sandbox.launch("Another")
    sandbox.run("wait", new)
    later = [json.loads(line) for line in sandbox.ok("events", "--json", "--session", new).splitlines()]
    assert all(event["id"] > events[1]["id"] for event in later)


def test_follower_learns_of_a_deletion(sandbox: Sandbox, ended: list[str]) -> None:
    with sandbox.popen("events", "-f", "--new", "--json") as process:
        assert process.stdout is not None
        wait_until_asleep(psutil.Process(process.pid))
        sandbox.ok("rm", ended[0])
        assert json.loads(process.stdout.readline())["type"] == "session_deleted"
        process.kill()


def test_rm_deletes_only_the_given_sessions(sandbox: Sandbox, ended: list[str]) -> None:
    assert sandbox.ok("rm", ended[1], ended[3], ended[1]) == f"{ended[1]}\n{ended[3]}\n"
    assert remaining(sandbox) == {ended[0], ended[2], ended[4]}
    assert sandbox.run("show", ended[1]).returncode == 3
    assert sandbox.run("rm", ended[1]).returncode == 3
    assert sandbox.run("doctor", "--json").stdout.count('"left-overs"') == 0


def test_rm_of_a_running_session_needs_force(sandbox: Sandbox, ended: list[str]) -> None:
    sandbox.fake_claude('print(json.dumps({"type": "system", "subtype": "init"}), flush=True)\ntime.sleep(600)')
    running = sandbox.launch("Run")
    sandbox.wait_for_journal(running, "init")
    rejected = sandbox.run("rm", ended[0], running)
    assert (rejected.returncode, "--force" in rejected.stderr) == (4, True)
    assert remaining(sandbox) == {*ended, running}
    claude = psutil.Process(sandbox.show(running)["pid"])
    sandbox.ok("rm", "--force", running)
    assert is_dead(claude)
    assert remaining(sandbox) == set(ended)
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")


def test_rm_completes_an_interrupted_deletion(sandbox: Sandbox, ended: list[str]) -> None:
    for path in sandbox.files(ended[0]).directory.iterdir():
        path.unlink()
    sandbox.files(ended[0]).directory.rmdir()
    assert sandbox.ok("rm", ended[0]) == f"{ended[0]}\n"
    assert remaining(sandbox) == set(ended[1:])


@pytest.mark.parametrize("step", ["_delete_files:call", "_delete_files:return", "delete:call", "delete:return"])
def test_killed_rm_leaves_no_files_without_a_row(sandbox: Sandbox, ended: list[str], step: str) -> None:
    """Files without a row look like a lost session, which `doctor --fix` would restore."""
    environment = {
        "PYTHONPATH": str(INJECTED_DIRECTORY),
        "HLDCTL_TEST_KILL_AT": step,
        "HLDCTL_TEST_KILL_MARKER": str(sandbox.root / "killed"),
        "HLDCTL_TEST_KILL_PROGRAM": "hldctl",
    }
    assert sandbox.run("rm", ended[0], environment=environment).returncode == -9
    rows = {row[0] for row in sandbox.sql("SELECT id FROM sessions")}
    assert {path.name for path in sandbox.state.sessions.iterdir()} <= rows
    assert sandbox.run("rm", ended[0]).returncode == (3 if step == "delete:return" else 0)
    assert remaining(sandbox) == set(ended[1:])


def test_rm_refuses_a_session_that_is_being_recorded(sandbox: Sandbox, ended: list[str]) -> None:
    files = sandbox.files(ended[0])
    before = {path.name for path in files.directory.iterdir()}
    lock = file_lock.acquire(files.lock, timeout=0)
    assert lock is not None
    rejected = sandbox.run("rm", ended[0])
    assert (rejected.returncode, "still being recorded" in rejected.stderr) == (5, True)
    assert {path.name for path in files.directory.iterdir()} == before
    assert remaining(sandbox) == set(ended)
    os.close(lock)
    sandbox.ok("rm", ended[0])
    assert remaining(sandbox) == set(ended[1:])


def test_rm_kills_a_stopped_supervisor(sandbox: Sandbox, ended: list[str]) -> None:
    lock_file = sandbox.files(ended[0]).lock
    with subprocess.Popen([sys.executable, "-c", LOCKS, str(lock_file), "hldctl.supervisor"]) as stopped:
        eventually(lambda: not file_lock.is_free(lock_file), "it to hold the lock")
        stopped.send_signal(signal.SIGSTOP)
        sandbox.ok("rm", ended[0])
        assert stopped.wait() == -signal.SIGKILL
    assert remaining(sandbox) == set(ended[1:])


def test_prune_deletes_old_sessions(sandbox: Sandbox, ended: list[str]) -> None:
    options = ["--older-than", "36h", "--keep", "3"]
    assert sandbox.ok("prune", *options, "--dry-run").split() == ended[:2]
    assert remaining(sandbox) == set(ended)
    assert sandbox.ok("prune", *options).split() == ended[:2]
    assert remaining(sandbox) == set(ended[2:])
    assert sandbox.ok("prune", "--older-than", "36h").split() == ended[2:3]
    assert sandbox.ok("prune", "--keep", "1").split() == ended[3:4]
    assert remaining(sandbox) == {ended[4]}


def test_prune_keeps_running_sessions(sandbox: Sandbox, ended: list[str]) -> None:
    sandbox.fake_claude('print(json.dumps({"type": "system", "subtype": "init"}), flush=True)\ntime.sleep(600)')
    running = sandbox.launch("Run")
    assert sandbox.ok("prune", "--keep", "0").split() == ended
    assert remaining(sandbox) == {running}
    sandbox.ok("interrupt", running)


def test_prune_frees_disk_space(sandbox: Sandbox) -> None:
    sandbox.fake_claude(f"for n in range(8000):\n    {SUCCESS.strip().splitlines()[0]}\n{SUCCESS}")
    session_id = sandbox.launch("Much")
    sandbox.ok("wait", session_id)
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = sandbox.state.database.stat().st_size
    assert before > 8_000_000
    sandbox.ok("prune", "--keep", "0")
    assert sandbox.state.database.stat().st_size < 1_000_000


def test_prune_asks_at_a_terminal(sandbox: Sandbox, ended: list[str]) -> None:
    for answer in ("n", "", "delete"):
        with Terminal(sandbox, "prune", "--keep", "2") as terminal:
            terminal.wait_for_output("this deletes 3 of 5 sessions, with everything recorded about them. Delete? [y/N]")
            terminal.enter(f"{answer}\n")
            assert terminal.wait_for_exit()[0] == 0
            assert "nothing was deleted" in terminal.output
    assert remaining(sandbox) == set(ended)
    with Terminal(sandbox, "prune", "--keep", "2") as terminal:
        terminal.wait_for_output("[y/N]")
        terminal.enter("y\n")
        code, output = terminal.wait_for_exit()
    assert (code, "deleted 3 of 5 sessions" in output) == (0, True)
    assert remaining(sandbox) == set(ended[3:])


def test_ctrl_c_at_the_question_deletes_nothing(sandbox: Sandbox, ended: list[str]) -> None:
    with Terminal(sandbox, "prune", "--keep", "0") as terminal:
        terminal.wait_for_output("[y/N]")
        terminal.enter("\x03")
        assert terminal.wait_for_exit()[0] == 130
    assert remaining(sandbox) == set(ended)


def test_forced_prune_does_not_ask_at_a_terminal(sandbox: Sandbox, ended: list[str]) -> None:
    with Terminal(sandbox, "prune", "--keep", "0", "--force") as terminal:
        code, output = terminal.wait_for_exit()
    assert (code, "[y/N]" in output, "deleting session" in output) == (0, False, False)
    assert all(session_id in output for session_id in ended)


@pytest.mark.parametrize("text", ["30", "1d12", " 30 "])
def test_prune_rejects_an_age_without_a_unit(sandbox: Sandbox, ended: list[str], text: str) -> None:
    done = sandbox.run("prune", "--older-than", text)
    assert (done.returncode, f"write {text.strip()}d for days" in done.stderr) == (2, True)
    sandbox.configure(f"[prune]\nolder_than = {text!r}")
    done = sandbox.run("launch", "Hi")
    assert (done.returncode, "prune.older_than" in done.stderr) == (2, True)
    assert sandbox.run("config", "set", "prune.older_than", text).returncode == 2
    assert remaining(sandbox) == set(ended)


def test_prune_reports_how_many_of_all_sessions(sandbox: Sandbox, ended: list[str]) -> None:
    would = sandbox.run("prune", "--older-than", "36h", "--dry-run")
    assert would.stderr == "hldctl: would delete 3 of 5 sessions\n"
    assert sandbox.run("prune", "--older-than", "36h").stderr.startswith("hldctl: deleted 3 of 5 sessions, ")
    assert sandbox.run("prune", "--older-than", "36h").stderr.startswith("hldctl: deleted 0 of 2 sessions, ")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [(["prune"], 2), (["prune", "--keep", "-1"], 2), (["prune", "--older-than", "soon"], 2), (["rm"], 2)],
)
def test_bad_usage_deletes_nothing(sandbox: Sandbox, ended: list[str], arguments: list[str], exit_code: int) -> None:
    assert sandbox.run(*arguments).returncode == exit_code
    assert remaining(sandbox) == set(ended)


def test_configured_prune_runs_once_a_day_at_launch(sandbox: Sandbox, ended: list[str]) -> None:
    sandbox.configure('[prune]\nolder_than = "60h"\nkeep = 1')
    sandbox.ok("launch", "Hi", "--wait", "--env", "SECRET=x")
    eventually(lambda: not remaining(sandbox) & {*ended[:2]}, "those that ended three and four days ago to be gone")
    assert {*ended[2:]} < remaining(sandbox)
    eventually(lambda: not sandbox.processes(), "all to leave")
    sandbox.configure("[prune]\nkeep = 0")
    sandbox.ok("launch", "Hi", "--wait")
    eventually(lambda: not sandbox.processes(), "all to leave")
    assert {*ended[2:]} < remaining(sandbox)


@pytest.mark.parametrize(
    "text", ['[prune]\nolder_than = "soon"', "[prune]\nkeep = -1", "prune = 3", "[prune]\nall = 1"]
)
def test_invalid_prune_configuration_is_rejected(sandbox: Sandbox, text: str) -> None:
    sandbox.configure(text)
    done = sandbox.run("launch", "Hi")
    assert (done.returncode, "prune" in done.stderr, done.stdout) == (2, True, "")
    assert not sandbox.state.sessions.exists()
