"""A full, failing, locked or damaged database: Claude Code continues, and everything is recorded afterwards."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.faults.injection import Injection
from tests.faults.outcome import (
    assert_fully_recorded,
    assert_no_process_is_left,
    assert_refused,
    assert_succeeded,
    claude_process,
    wait_for_trouble,
)
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, is_dead

WRITES_OF_A_LAUNCH = range(1, 61)
# A session makes 36 to 52 writes until the launch returns, and 95 to 150 in all: a busy machine batches its lines.
WRITES_AFTER_IT = range(53, 92, 2)
LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("fault", ["database-full", "database-broken"])
def test_failed_write_in_a_launch_leaves_nothing(sandbox: Sandbox, fault: str) -> None:
    sandbox.serve_script("say One.")
    sandbox.ok("ls")
    first = 1 if fault == "database-full" else 2
    for number in WRITES_OF_A_LAUNCH[first::2]:
        injection = Injection(sandbox)
        launched = sandbox.run("launch", "Hello", environment=injection.environment(f"{fault}:{number}"))
        injection.end()
        if launched.returncode == 0:
            break
        assert_refused(launched, str(sandbox.state.database))
        assert list(sandbox.state.sessions.iterdir()) == []
        assert sandbox.ok("ls", "--all", "-q") == ""
    assert number > 20, "the writes of a launch are more than that"
    assert_succeeded(sandbox, launched.stdout.strip(), "One.")


@pytest.mark.parametrize("fault", ["database-full", "database-broken"])
def test_failed_later_writes_are_retried_until_all_is_recorded(sandbox: Sandbox, fault: str) -> None:
    """Writes fail from the N-th one on until Claude Code has ended, with another N in each of the parallel sessions."""
    sandbox.serve_script('say One.\ncall Bash {"command": "echo out"}\n\nsay Two.')
    sandbox.ok("ls")
    injection = Injection(sandbox)
    ids = []
    for number in WRITES_AFTER_IT[fault == "database-full" :: 2]:
        environment = injection.environment(f"{fault}:{number}")
        ids.append(sandbox.launch("Hello", "--allowed-tools", "Bash", environment=environment))
    for session_id in ids:
        sandbox.wait_for_journal(session_id, '"type":"result"')
    injection.end()
    logs = [sandbox.files(session_id).log.read_text() for session_id in ids]
    assert sum("a fault of the machine" in log for log in logs) > len(ids) / 2
    for session_id in ids:
        sandbox.ok("wait", session_id)
    assert_no_process_is_left(sandbox)
    for session_id in ids:
        assert_succeeded(sandbox, session_id, "Two.")


def test_supervisor_waits_for_a_locked_database(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    claude = claude_process(sandbox, session_id)
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, sandbox.state.database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        began = time.monotonic()
        launching = sandbox.popen("launch", "Hello")
        sandbox.release()
        sandbox.wait_for_journal(session_id, '"result"')
        assert time.monotonic() - began < 25
        # It is ended only once it is certain that no message has come.
        assert not is_dead(claude)
        assert sandbox.show(session_id)["status"] == "running"
        wait_for_trouble(sandbox, session_id, "database is locked")
        output, errors = launching.communicate()
        assert_refused(
            subprocess.CompletedProcess([], launching.returncode, output, errors),
            str(sandbox.state.database),
            "locked",
        )
        assert [path.name for path in sandbox.state.sessions.iterdir()] == [session_id]
        locker.communicate("")
    assert_succeeded(sandbox, session_id, "Two.")


def test_supervisor_waits_for_a_read_only_state_directory(sandbox: Sandbox) -> None:
    """The kernel makes a failing disk read-only like this: open files stay open, but cannot be written."""
    sandbox.serve_script('say One.\nwait 2s\ncall Bash {"command": "echo out"}\n\nsay Two.')
    injection = Injection(sandbox)
    injection.end()
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash", environment=injection.environment("read-only"))
    injection.begin()
    injection.wait_until_met()
    sandbox.wait_for_journal(session_id, '"type":"result"')
    assert sandbox.show(session_id)["status"] == "running"
    injection.end()
    assert_succeeded(sandbox, session_id, "Two.")


def test_supervisor_waits_until_a_damaged_database_is_repaired(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    eventually(lambda: "go-on" in sandbox.ok("tail", session_id), "the tool call to be recorded")
    sandbox.sql("UPDATE sessions SET title = 'Known' WHERE id = ?", session_id)
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = sandbox.state.database.read_bytes()
    with sandbox.state.database.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xa5" * (len(whole) - 4096))
    for command in (["ls"], ["show", session_id], ["set", session_id, "--title", "Other"], ["launch", "Hi"]):
        assert_refused(sandbox.run(*command), str(sandbox.state.database))
    assert [path.name for path in sandbox.state.sessions.iterdir()] == [session_id]
    sandbox.release()
    sandbox.wait_for_journal(session_id, '"type":"result"')
    wait_for_trouble(sandbox, session_id, "malformed")
    with sandbox.state.database.open("r+b") as database:
        database.write(whole)
    assert_succeeded(sandbox, session_id, "Two.")
    assert sandbox.show(session_id)["title"] == "Known"
    assert_fully_recorded(sandbox, session_id)
