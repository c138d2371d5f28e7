"""Names: only one session at a time runs with a name."""

from __future__ import annotations

import json
import subprocess

import psutil
import pytest

from hldctl.system import file_lock
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, kill_and_wait
from tests.helpers.statuses import ALLOW_BASH, WAITING_SCRIPT, statuses, wait_for_status


def test_second_launch_fails_and_names_the_first(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    first = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    second = sandbox.run("launch", "Go", "--name", "nightly")
    assert (second.returncode, second.stdout) == (4, "")
    assert first in second.stderr
    assert list(statuses(sandbox)) == [first]
    assert sandbox.show("nightly")["id"] == first
    sandbox.release()
    sandbox.wait_for_end(first)
    assert sandbox.launch("Go", "--name", "nightly", "--wait", *ALLOW_BASH) == "Done."


@pytest.mark.parametrize("options", [[], ["-q"]])
def test_skip_prints_the_running_sessions_id(sandbox: Sandbox, options: list[str]) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    first = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    assert sandbox.launch("Go", "--name", "nightly", "--if-running", "skip", *options) == first
    skipped = sandbox.ok("launch", "Go", "--name", "nightly", "--if-running", "skip", "--json", *options)
    assert json.loads(skipped)["id"] == first
    assert list(statuses(sandbox)) == [first]


def test_queue_starts_sessions_one_by_one_in_order(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    ids = [sandbox.launch("Go", "--name", "nightly", "--if-running", "queue", *ALLOW_BASH) for _ in range(3)]
    assert [statuses(sandbox)[session_id] for session_id in ids] == ["running", "queued", "queued"]
    sandbox.release()
    ended = [sandbox.wait_for_end(session_id) for session_id in ids]
    assert [session["result_content"] for session in ended] == ["Done."] * 3
    changes = sandbox.ok("events", "--json", "--type", "session_status_changed")
    events = [json.loads(line) for line in changes.splitlines()]
    story = [(ids.index(event["session_id"]), event["data"]["new_status"]) for event in events]
    assert [step for step in story if step[1] in ("running", "completed")] == [
        (number, status) for number in range(3) for status in ("running", "completed")
    ]


def test_replace_ends_the_running_and_all_queued_sessions(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    first = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    waits = sandbox.launch("Go", "--name", "nightly", "--if-running", "queue", *ALLOW_BASH)
    replaced = sandbox.run("launch", "Go", "--name", "nightly", "--if-running", "replace", *ALLOW_BASH)
    now = statuses(sandbox)
    assert (now[first], now[waits], now[replaced.stdout.strip()]) == ("interrupted", "interrupted", "running")
    assert replaced.stderr == ""


def test_session_replaced_in_the_queue_says_so(sandbox: Sandbox) -> None:
    # A session that takes a while to end.
    sandbox.fake_claude("""
signal.signal(signal.SIGINT, lambda *_: None)
print(json.dumps({"type": "system", "subtype": "init"}), flush=True)
while not os.path.exists("go-on"): time.sleep(0.05)
""")
    first = sandbox.launch("Go", "--name", "nightly")
    sandbox.wait_for_journal(first, "init")
    replace = ("launch", "Go", "--name", "nightly", "--if-running", "replace")
    with sandbox.popen(*replace) as second, sandbox.popen(*replace) as third:
        eventually(lambda: "interrupted" in statuses(sandbox).values(), "one of the two to be replaced by the other")
        sandbox.release()
        codes = {second.wait(TIMEOUT_SECONDS), third.wait(TIMEOUT_SECONDS)}
    assert codes == {0, 130}


def test_only_one_of_many_concurrent_launches_runs(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    racing = [
        sandbox.popen("launch", "Go", "--name", "nightly", "--if-running", mode, *ALLOW_BASH)
        for mode in ["fail", "skip"] * 10
    ]
    printed = [process.communicate(timeout=TIMEOUT_SECONDS)[0].strip() for process in racing]
    (winner,) = statuses(sandbox)
    assert {process.returncode for process in racing} <= {0, 4}
    assert {session_id for session_id in printed if session_id} == {winner}
    assert all(session_id for session_id, process in zip(printed, racing, strict=True) if process.returncode == 0)
    assert len(list(sandbox.state.sessions.iterdir())) == 1


def test_lost_session_does_not_block_its_name(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    first = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    session = sandbox.show(first)
    # A guard would start another supervisor, which would still record the end.
    for process in (*sandbox.guards(), psutil.Process(session["supervisor_pid"]), psutil.Process(session["pid"])):
        kill_and_wait(process)
    second = sandbox.launch("Go", "--name", "nightly", "--if-running", "skip", *ALLOW_BASH)
    assert second != first
    assert sandbox.show(first)["status"] == "failed"


def test_queued_session_survives_the_loss_of_its_supervisor(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    first = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    waits = sandbox.launch(
        "Go", "--name", "nightly", "--if-running", "queue", *ALLOW_BASH, environment={"PLANET": "Mars"}
    )
    supervisor = psutil.Process(sandbox.show(waits)["supervisor_pid"])
    kill_and_wait(supervisor)
    assert statuses(sandbox)[waits] == "queued"
    assert not file_lock.is_free(sandbox.files(waits).lock)
    sandbox.release()
    sandbox.wait_for_end(first)
    assert sandbox.wait_for_end(waits)["result_content"] == "Done."
    assert not sandbox.files(waits).request.exists()


def test_interrupt_removes_a_session_from_the_queue(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    first = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    with sandbox.popen("launch", "Go", "--name", "nightly", "--if-running", "queue", "--wait") as waits:
        eventually(lambda: "queued" in statuses(sandbox).values(), "the second to wait")
        queued = next(session_id for session_id, status in statuses(sandbox).items() if status == "queued")
        assert sandbox.run("interrupt", queued).returncode == 0
        assert waits.wait(TIMEOUT_SECONDS) == 130
    session = sandbox.show(queued)
    assert (session["status"], session["end_reason"], session["pid"]) == ("interrupted", "interrupted", None)
    assert statuses(sandbox)[first] == "running"


def test_queued_session_cannot_be_continued(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    waits = sandbox.launch("Go", "--name", "nightly", "--if-running", "queue")
    refused = sandbox.run("continue", waits, "And now?")
    assert (refused.returncode, "queue" in refused.stderr) == (4, True)
    assert statuses(sandbox)[waits] == "queued"


def test_queued_launch_does_not_block_a_command_substitution(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    captured = subprocess.run(
        ["sh", "-c", 'id=$(hldctl launch Go --name nightly --if-running queue); echo "id: $id"'],
        env=sandbox.environment,
        cwd=sandbox.work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    assert captured.stdout.startswith("id: ")
    wait_for_status(sandbox, captured.stdout.split()[1], "queued")


@pytest.mark.parametrize(
    "name", ["a/b", "", " ", "-x", "last", "a b", "é\n", "x" * 101, "9" * 8 + "-1111-1111-1111-111111111111"]
)
def test_invalid_name_is_refused(sandbox: Sandbox, name: str) -> None:
    done = sandbox.run("launch", "Go", f"--name={name}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--name" in done.stderr
    assert not sandbox.state.sessions.exists()


def test_if_running_needs_a_name(sandbox: Sandbox) -> None:
    assert sandbox.run("launch", "Go", "--if-running", "skip").returncode == 2
    assert sandbox.run("launch", "Go", "--name", "x", "--if-running", "perhaps").returncode == 2


def test_name_means_the_running_session_then_the_queued_one(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    running = sandbox.launch("Go", "--name", "nightly", *ALLOW_BASH)
    queued = sandbox.launch("Go", "--name", "nightly", "--if-running", "queue", *ALLOW_BASH)
    assert sandbox.show("nightly")["id"] == running
    sandbox.ok("set", queued, "--title", "Next")
    assert sandbox.ok("interrupt", "nightly").split()[0] == running
    eventually(lambda: statuses(sandbox)[queued] == "running", "the queued session to start")
    assert sandbox.show("nightly")["id"] == queued
    sandbox.ok("interrupt", queued)
    assert sandbox.show("nightly")["id"] == queued
