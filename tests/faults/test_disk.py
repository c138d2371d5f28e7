"""A full or read-only file system for the state directory; Claude Code's own files are on another one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator

import pytest

from tests.faults.namespace import SmallDisk
from tests.faults.outcome import assert_fully_recorded, assert_no_process_is_left, assert_refused
from tests.helpers.sandbox import GATED_SCRIPT, TIMEOUT_SECONDS, Sandbox, eventually

SIZES = [f"size={size}k" for size in range(8, 340, 24)]
INODES = [f"nr_inodes={number}" for number in range(3, 19, 4)]
LARGE = "size=8m,nr_inodes=1000"
# The real Claude Code writes files of its own while a tool runs, and may hang if the disk is full (2.1.330).
SILENT_UNTIL_SIGNALLED = """
def write(**event):
    print(json.dumps(event), flush=True)
write(type="system", subtype="init", session_id="x", model="claude-opus-5")
write(type="assistant", message={"role": "assistant", "content": "One."})
while not os.path.exists("go-on"):
    time.sleep(0.05)
write(type="assistant", message={"role": "assistant", "content": "Two."})
write(type="result", subtype="success", is_error=False, result="Two.")
"""

SMALL = """
print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}))
"""
LARGE_ANSWER = """
print(json.dumps({"type": "assistant", "message": {"content": "x" * 500_000}}))
"""
READING = (
    *("ls", "show ID", "export ID", "export --format html ID"),
    *("ls --json", "ls --all -q", "show ID --json", "show ID --events", "show ID --snapshots"),
    *("tail ID", "tail -n 1 --json ID", "tail --raw ID", "tail -f ID", "wait ID", "wait --results ID"),
    *("export --format json ID", "stats", "stats --by model --json"),
    *("approvals", "approvals --all --json", "events --session ID", "events --json"),
)
# The first commands print ages or the time, which change.
_AGES = 4


@pytest.fixture
def disk(sandbox: Sandbox) -> Iterator[SmallDisk]:
    disk = SmallDisk(sandbox, LARGE)
    yield disk
    sandbox.close()
    disk.close()


@pytest.mark.parametrize("room", SIZES + INODES)
def test_launch_on_an_almost_full_disk_is_all_or_nothing(sandbox: Sandbox, disk: SmallDisk, room: str) -> None:
    sandbox.serve_script("say One.")
    disk.remount(room)
    launched = sandbox.run("launch", "Hello")
    if launched.returncode != 0:
        assert_refused(launched, str(sandbox.state.root))
        assert disk.sessions == []
        assert_no_process_is_left(sandbox)
    disk.remount(LARGE)
    ids = sandbox.ok("ls", "--all", "-q").split()
    assert ids == launched.stdout.split()
    for session_id in ids or [sandbox.launch("Hello")]:
        sandbox.ok("wait", session_id)
        assert_no_process_is_left(sandbox)
        disk.copy_out()
        assert_fully_recorded(sandbox, session_id)


def test_full_disk_can_be_read_and_the_session_continues(sandbox: Sandbox, disk: SmallDisk) -> None:
    sandbox.fake_claude(SILENT_UNTIL_SIGNALLED)
    session_id = sandbox.launch("Hello")
    eventually(lambda: "One." in sandbox.ok("tail", session_id), "what was said to be recorded")
    disk.fill()
    for command in (["ls"], ["show", session_id], ["tail", session_id], ["tail", "--raw", session_id]):
        sandbox.ok(*command)
    assert_refused(sandbox.run("launch", "Hi"), str(sandbox.state.root), "No space left")
    assert len(disk.sessions) == 1
    disk.make_room()
    sandbox.release()
    sandbox.ok("wait", session_id)
    assert_no_process_is_left(sandbox)
    disk.copy_out()
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_message_is_recorded_whole_or_refused_on_a_full_disk(sandbox: Sandbox, disk: SmallDisk, large: bool) -> None:
    sandbox.serve_script("say One.\n\n[second]\nsay Two.\n")
    session_id = sandbox.launch("First", "--keep-open")
    sandbox.ok("wait", "--until", "idle", session_id)
    message = sandbox.root / "message"
    message.write_text("x" * (1 << 20 if large else 5000))
    disk.fill()
    refused = sandbox.run("send", session_id, "--file", message)
    assert_refused(refused, str(sandbox.state.root), "is full. Free some space")
    disk.make_room()
    assert sandbox.show(session_id)["pending_messages"] == 0
    assert sandbox.ok("send", "--wait", session_id, "second") == "Two.\n"
    sandbox.ok("close", session_id)
    disk.copy_out()
    assert_fully_recorded(sandbox, session_id)
    assert sandbox.sql("SELECT text, status FROM messages ORDER BY rowid") == [
        (None, "delivered"),
        ("second", "delivered"),
    ]


FAULTS = {
    "full": (SmallDisk.fill, "is full. Free some space"),
    "read-only": (SmallDisk.make_read_only, "is mounted read-only"),
}
DIE_AFTER_A_COMMIT = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("UPDATE sessions SET title = 'The newest title'")
os.kill(os.getpid(), signal.SIGKILL)
"""
CHECKPOINT = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
database.close()
"""
# Files that a process that died left next to the database: none, both files of the write-ahead log, or only the log.
LOGS = ["no log", "log", "log alone"]


def leave_log(sandbox: Sandbox, disk: SmallDisk, log: str) -> None:
    database = sandbox.state.database
    if log == "no log":
        # A command that only reads leaves it to those that write.
        disk.run(f"{sys.executable} -c {shlex.quote(CHECKPOINT)} {database}")
        return
    disk.run(f"{sys.executable} -c {shlex.quote(DIE_AFTER_A_COMMIT)} {database}")
    assert disk.run(f"test -s {database}-wal")
    if log == "log alone":
        assert disk.run(f"rm {database}-shm")


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("fault", FAULTS)
def test_read_only_disk_can_be_read_completely(sandbox: Sandbox, disk: SmallDisk, fault: str, log: str) -> None:
    sandbox.serve_script("say One.")
    session_id = sandbox.launch("Hello")
    sandbox.ok("wait", session_id)
    assert_no_process_is_left(sandbox)
    leave_log(sandbox, disk, log)
    prevent_writes, reason = FAULTS[fault]
    prevent_writes(disk)
    outputs = [sandbox.ok(*command.replace("ID", session_id).split()) for command in READING]
    assert "One." in sandbox.ok("tail", session_id)
    assert ("The newest title" in sandbox.ok("ls")) == (log != "no log")
    assert ("The newest title" in sandbox.ok("export", session_id)) == (log != "no log")
    completed = sandbox.ok("show", session_id[:4], environment={"_HLDCTL_COMPLETE": "zsh"})
    # Completion is fast rather than complete: it leaves out rows that only the log contains.
    assert completed.startswith(session_id[:8]) or log == "log alone"
    for command in (["launch", "Hi"], ["set", session_id, "--title", "x"]):
        # Again: the last process that closes the database deletes the log, which makes room.
        prevent_writes(disk)
        assert_refused(sandbox.run(*command), str(sandbox.state.root), reason if command[0] == "set" else "")
    assert len(disk.sessions) == 1
    if fault == "full":
        disk.make_room()
    else:
        disk.remount("rw")
    for reading, before in zip(READING[_AGES:], outputs[_AGES:], strict=True):
        assert sandbox.ok(*reading.replace("ID", session_id).split()) == before
    assert sandbox.show(session_id)["end_reason"] == "success"
    disk.copy_out()
    assert_fully_recorded(sandbox, session_id)


def test_note_says_that_the_newest_changes_may_be_missing(sandbox: Sandbox, disk: SmallDisk) -> None:
    sandbox.serve_script("say One.")
    session_id = sandbox.launch("Hello")
    sandbox.ok("wait", session_id)
    assert_no_process_is_left(sandbox)
    leave_log(sandbox, disk, "log alone")
    disk.make_read_only()
    # Neither directory for a copy of the database has room for it.
    small = sandbox.root / "small"
    small.mkdir()
    for directory in (small, "/dev/shm"):
        assert disk.run(f"mount -t tmpfs -o size=4k none {directory}")
    listed = sandbox.run("ls", environment={"TMPDIR": str(small)})
    assert (listed.returncode, session_id[:8] in listed.stdout, "The newest title" in listed.stdout) == (0, True, False)
    assert "the newest changes may be missing" in listed.stderr
    assert listed.stderr.count("\n") == 1


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("command", ["rm", "prune"])
def test_deletion_frees_space_on_a_full_disk(sandbox: Sandbox, disk: SmallDisk, command: str, log: str) -> None:
    sandbox.fake_claude(SMALL + LARGE_ANSWER)
    ids = [sandbox.launch("Hello") for _ in range(2)]
    sandbox.ok("wait", *ids)
    assert_no_process_is_left(sandbox)
    leave_log(sandbox, disk, log)
    disk.fill()
    arguments = ["rm", *ids] if command == "rm" else ["prune", "--keep", "0"]
    assert sorted(sandbox.ok(*arguments).split()) == sorted(ids)
    assert sandbox.ok("ls", "--all", "-q") == ""
    assert disk.sessions == []


def test_rows_kept_by_a_full_disk_are_deleted_by_the_next_removal(sandbox: Sandbox, disk: SmallDisk) -> None:
    """Deleting the session's files frees too little space for the log, but nothing stays half-deleted."""
    sandbox.fake_claude(SMALL)
    session_id = sandbox.launch("Hello")
    sandbox.ok("wait", session_id)
    assert_no_process_is_left(sandbox)
    assert disk.run(f"find {sandbox.state.session(session_id).directory} -type f -size +0 -delete")
    disk.fill()
    assert_refused(sandbox.run("rm", session_id), str(sandbox.state.root), "is full")
    assert disk.sessions == []
    assert sandbox.ok("ls", "-q").split() == [session_id]
    disk.make_room()
    assert sandbox.ok("prune", "--keep", "0").split() == [session_id]
    assert sandbox.ok("ls", "--all", "-q") == ""


def test_follower_sees_new_lines_once_a_full_disk_has_space(sandbox: Sandbox, disk: SmallDisk) -> None:
    sandbox.fake_claude(SILENT_UNTIL_SIGNALLED)
    session_id = sandbox.launch("Hello")
    eventually(lambda: "One." in sandbox.ok("tail", session_id), "what was said to be recorded")
    sandbox.power_off()
    assert_no_process_is_left(sandbox)
    assert disk.run(f"rm {sandbox.state.database}-shm")
    disk.fill()
    with sandbox.popen("tail", "-f", session_id) as follower:
        assert follower.stdout is not None
        seen = [follower.stdout.readline(), follower.stdout.readline()]
        assert "One." in "".join(seen), seen
        disk.make_room()
        # The follower adopts the session, which then ends.
        rest, errors = follower.communicate(timeout=TIMEOUT_SECONDS)
    assert follower.returncode == 0, rest
    assert errors.startswith(f"hldctl: session {session_id[:8]} failed: ")
    assert sandbox.show(session_id)["end_reason"] in ("killed", "lost")


def test_orphan_on_a_read_only_disk_is_adopted_later(sandbox: Sandbox, disk: SmallDisk) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    disk.wait_for_text(session_id, "go-on")
    sandbox.power_off()
    assert_no_process_is_left(sandbox)
    disk.make_read_only()
    assert "running" in sandbox.ok("ls")
    assert sandbox.show(session_id)["status"] == "running"
    disk.remount("rw")
    assert sandbox.show(session_id)["status"] == "failed"
    assert_no_process_is_left(sandbox)
    disk.copy_out()
    assert_fully_recorded(sandbox, session_id)
