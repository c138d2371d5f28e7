"""The state directory's file system full or read-only; Claude Code's own files are on another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.namespace import SmallDisk
from tests.faults.outcome import assert_nobody_is_left, assert_recorded_whole, assert_refused
from tests.sandbox import GATED, Sandbox, eventually

SIZES = [f"size={size}k" for size in range(8, 340, 24)]
INODES = [f"nr_inodes={number}" for number in range(3, 19, 4)]
LARGE = "size=8m,nr_inodes=1000"
# The genuine one has notes of its own to write while a tool runs, and on a full disk may hang over them (2.1.330).
SILENT_UNTIL_TOLD = """
def write(**event):
    print(json.dumps(event), flush=True)
write(type="system", subtype="init", session_id="x", model="claude-opus-5")
write(type="assistant", message={"role": "assistant", "content": "One."})
while not os.path.exists("go-on"):
    time.sleep(0.05)
write(type="assistant", message={"role": "assistant", "content": "Two."})
write(type="result", subtype="success", is_error=False, result="Two.")
"""


@pytest.fixture
def disk(sandbox: Sandbox) -> Iterator[SmallDisk]:
    made = SmallDisk(sandbox, LARGE)
    yield made
    sandbox.close()
    made.close()


@pytest.mark.parametrize("room", SIZES + INODES)
def test_a_launch_with_little_room_fails_whole_or_is_recorded_whole(
    sandbox: Sandbox, disk: SmallDisk, room: str
) -> None:
    sandbox.play("say One.")
    disk.remount(room)
    launched = sandbox.run("launch", "Hello")
    if launched.returncode != 0:
        assert_refused(launched, str(sandbox.state.root))
        assert disk.sessions == []
        assert_nobody_is_left(sandbox)
    disk.remount(LARGE)
    ids = sandbox.ok("ls", "--all", "-q").split()
    assert ids == launched.stdout.split()
    for session_id in ids or [sandbox.launch("Hello")]:
        sandbox.ok("wait", session_id)
        assert_nobody_is_left(sandbox)
        disk.carry_out()
        assert_recorded_whole(sandbox, session_id)


def test_a_full_disk_lets_itself_be_read_and_the_session_goes_on(sandbox: Sandbox, disk: SmallDisk) -> None:
    sandbox.claude(SILENT_UNTIL_TOLD)
    session_id = sandbox.launch("Hello")
    eventually(lambda: "One." in sandbox.ok("tail", session_id), "what was said to be recorded")
    disk.fill()
    for command in (["ls"], ["show", session_id], ["tail", session_id], ["tail", "--raw", session_id]):
        sandbox.ok(*command)
    assert_refused(sandbox.run("launch", "Hi"), str(sandbox.state.root), "No space left")
    assert len(disk.sessions) == 1
    disk.make_room()
    sandbox.go_on()
    sandbox.ok("wait", session_id)
    assert_nobody_is_left(sandbox)
    disk.carry_out()
    assert_recorded_whole(sandbox, session_id)


def test_a_read_only_disk_is_told_in_a_sentence(sandbox: Sandbox, disk: SmallDisk) -> None:
    sandbox.play("say One.")
    session_id = sandbox.launch("Hello")
    sandbox.ok("wait", session_id)
    assert_nobody_is_left(sandbox)
    disk.make_read_only()
    for command in (["ls"], ["show", session_id], ["tail", session_id], ["launch", "Hi"], ["events"]):
        assert_refused(sandbox.run(*command), str(sandbox.state.root))
    disk.remount("rw")
    assert sandbox.show(session_id)["end_reason"] == "success"
    assert len(disk.sessions) == 1
    disk.carry_out()
    assert_recorded_whole(sandbox, session_id)


def test_a_session_that_lost_its_supervisor_on_a_read_only_disk_is_adopted_later(
    sandbox: Sandbox, disk: SmallDisk
) -> None:
    sandbox.play(GATED)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    disk.has(session_id, "go-on")
    sandbox.power_off()
    assert_nobody_is_left(sandbox)
    disk.make_read_only()
    assert "running" in sandbox.ok("ls")
    assert sandbox.show(session_id)["status"] == "running"
    disk.remount("rw")
    assert sandbox.show(session_id)["status"] == "failed"
    assert_nobody_is_left(sandbox)
    disk.carry_out()
    assert_recorded_whole(sandbox, session_id)
