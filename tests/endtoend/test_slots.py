"""Slots: a limited number of sessions runs at once; the others wait in order."""

from __future__ import annotations

import psutil
import pytest

from tests.helpers.sandbox import Sandbox, count_wakeups, eventually, kill_and_wait, wait_until_asleep
from tests.helpers.statuses import ALLOW_BASH, WAITING_SCRIPT, statuses, wait_for_status


def states(sandbox: Sandbox, ids: list[str]) -> list[str]:
    now = statuses(sandbox)
    return [now[session_id] for session_id in ids]


def go_on(sandbox: Sandbox, number: int) -> None:
    (sandbox.work / f"go-on-{number}").touch()


def numbered_script(numbers: range) -> str:
    """Return a script with a conversation for each number that ends when the test allows it."""
    return "".join(f"[number {n}]\n{WAITING_SCRIPT.replace('go-on', f'go-on-{n}')}\n" for n in numbers)


def launch(sandbox: Sandbox, number: int, *options: str) -> str:
    return sandbox.launch(f"number {number}", *ALLOW_BASH, *options)


def test_excess_sessions_wait_in_order(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 2")
    sandbox.serve_script(numbered_script(range(5)))
    ids = [launch(sandbox, number) for number in range(5)]
    assert states(sandbox, ids) == ["running", "running", "queued", "queued", "queued"]
    go_on(sandbox, 1)
    wait_for_status(sandbox, ids[2], "running")
    assert states(sandbox, ids) == ["running", "completed", "running", "queued", "queued"]
    for number in (0, 2, 3, 4):
        go_on(sandbox, number)
    assert [sandbox.wait_for_end(session_id)["status"] for session_id in ids] == ["completed"] * 5
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_group_has_its_own_slots(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 3\n[groups]\nbuild = 1")
    sandbox.serve_script(numbered_script(range(4)))
    ids = [launch(sandbox, number, *(["--group", "build"] if number < 2 else [])) for number in range(4)]
    # The second session waits for its group, and does not block the others.
    assert states(sandbox, ids) == ["running", "queued", "running", "running"]
    go_on(sandbox, 0)
    wait_for_status(sandbox, ids[1], "running")


@pytest.mark.parametrize("killed", [["supervisor_pid", "pid"], ["pid"]])
def test_crash_frees_the_slot_without_any_command(sandbox: Sandbox, killed: list[str]) -> None:
    sandbox.configure("max_running = 1")
    sandbox.serve_script(numbered_script(range(3)))
    ids = [launch(sandbox, number) for number in range(3)]
    session = sandbox.show(ids[0])
    for process in [psutil.Process(session[name]) for name in killed]:
        process.kill()
    journal = sandbox.files(ids[1]).journal
    eventually(lambda: journal.stat().st_size > 0, "the next to run")
    assert states(sandbox, ids) == ["failed", "running", "queued"]


def test_queued_session_keeps_its_place_after_a_kill(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.serve_script(numbered_script(range(3)))
    ids = [launch(sandbox, number) for number in range(3)]
    supervisor = psutil.Process(sandbox.show(ids[1])["supervisor_pid"])
    kill_and_wait(supervisor)
    go_on(sandbox, 0)
    # The next session in the queue has noticed its death.
    journal = sandbox.files(ids[1]).journal
    eventually(lambda: journal.stat().st_size > 0, "the next to run")
    assert states(sandbox, ids) == ["completed", "running", "queued"]


def test_session_waiting_for_a_slot_uses_no_cpu(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.serve_script(numbered_script(range(2)))
    ids = [launch(sandbox, number) for number in range(2)]
    supervisor = psutil.Process(sandbox.show(ids[1])["supervisor_pid"])
    wait_until_asleep(supervisor)
    before = count_wakeups(supervisor)
    sandbox.wait_for_journal(ids[0], "go-on")
    sandbox.ok("wait", ids[0], "--until", "running")
    assert count_wakeups(supervisor) - before < 5


def test_time_in_the_queue_does_not_count_for_the_session(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.serve_script(numbered_script(range(1)) + "[number 1]\nsay Done.")
    first = launch(sandbox, 0)
    second = launch(sandbox, 1, "--timeout", "1h")
    sandbox.sql("UPDATE sessions SET created_at = created_at - 7200000 WHERE id = ?", second)
    go_on(sandbox, 0)
    sandbox.wait_for_end(first)
    assert sandbox.wait_for_end(second)["status"] == "completed"


def test_unconfigured_group_is_refused(sandbox: Sandbox) -> None:
    done = sandbox.run("launch", "Go", "--group", "build")
    assert (done.returncode, "config.toml" in done.stderr) == (2, True)
    assert not sandbox.state.sessions.exists()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("max_running = 0", "max_running"),
        ("max_running = true", "max_running"),
        ('groups = "build"', "groups"),
        ("[groups]\nbuild = -1", "groups"),
        ("max_runing = 1", "max_runing"),
        ("on_end = 1", "on_end"),
    ],
)
def test_invalid_configuration_is_refused(sandbox: Sandbox, text: str, key: str) -> None:
    sandbox.configure(text)
    done = sandbox.run("launch", "Go")
    assert (done.returncode, done.stdout) == (2, "")
    assert key in done.stderr
    assert "config.toml" in done.stderr
    assert not sandbox.state.sessions.exists()
