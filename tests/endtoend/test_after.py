"""Predecessors: a session starts when others have completed or ended, and fails if it can never start."""

from __future__ import annotations

import json
import os

import psutil
import pytest

from hldctl.rehearsal.script import parse
from tests.helpers.sandbox import Sandbox, count_wakeups, eventually, kill, kill_and_wait, wait_until_asleep
from tests.helpers.statuses import ALLOW_BASH, WAITING_SCRIPT, statuses, wait_for_status

SCRIPT = f"[first]\n{WAITING_SCRIPT}\n[breaks]\nfail 400 No\n\n[then]\nsay Also done.\n"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def launch_first(sandbox: Sandbox, *options: str) -> str:
    """Launch a session that runs until `sandbox.release`."""
    sandbox.serve_script(SCRIPT)
    return sandbox.launch("first", *ALLOW_BASH, *options)


def wait_for_statuses(sandbox: Sandbox, expected: dict[str, str]) -> None:
    """Wait until these sessions have these statuses."""
    eventually(lambda: expected.items() <= statuses(sandbox).items(), f"{expected}")


def test_session_starts_when_its_predecessor_has_completed(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    launched = sandbox.run("launch", "then", "--after", first[:8])
    then = launched.stdout.strip()
    assert launched.stderr == "hldctl: queued: the session starts when the sessions before it have ended\n"
    session = sandbox.show(then)
    assert (session["status"], session["waiting_for"]) == ("queued", "predecessors")
    assert session["after"] == [{"id": first, "condition": "completed"}]
    assert session["activity"]["predecessors"] == [first]
    sandbox.release()
    assert sandbox.wait_for_end(then)["result_content"] == "Also done."
    changes = [
        json.loads(line)
        for line in sandbox.ok("events", "--json", "--type", "session_status_changed").split("\n")
        if line
    ]
    story = [(event["session_id"], event["data"]["new_status"]) for event in changes]
    assert story.index((first, "completed")) < story.index((then, "starting"))


def test_session_starts_at_once_after_completed_ones(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    first = sandbox.launch("then", "--name", "build", "--wait", "-q") and sandbox.show("build")["id"]
    second = sandbox.launch("then", "--after", "build", "--wait")
    assert second == "Also done."
    assert sandbox.show("last")["after"] == [{"id": first, "condition": "completed"}]


def test_session_waits_for_all_of_several_predecessors(sandbox: Sandbox) -> None:
    sandbox.serve_script(
        "".join(f"[number {n}]\n{WAITING_SCRIPT.replace('go-on', f'go-on-{n}')}\n" for n in range(2))
        + "[then]\nsay Done."
    )
    ids = [sandbox.launch(f"number {n}", *ALLOW_BASH) for n in range(2)]
    then = sandbox.launch("then", "--after", ",".join(ids))
    (sandbox.work / "go-on-0").touch()
    sandbox.wait_for_end(ids[0])
    assert sandbox.show(then)["activity"]["predecessors"] == [ids[1]]
    (sandbox.work / "go-on-1").touch()
    assert sandbox.wait_for_end(then)["status"] == "completed"


def test_failure_ends_the_dependants_down_the_chain(sandbox: Sandbox) -> None:
    first = launch_first(sandbox, "--name", "build")
    second = sandbox.launch("then", "--after", first, "--on-end", 'echo "$HLDCTL_END_REASON" >> ended')
    third = sandbox.launch("then", "--after", second)
    whatever = sandbox.launch("then", "--after-any", second)
    sandbox.ok("interrupt", first)
    assert sandbox.run("wait", third).returncode == 1
    session = sandbox.show(second)
    assert (session["status"], session["end_reason"]) == ("failed", "dependency_failed")
    assert (
        session["error_message"] == f"Session {first} (build) was interrupted, and this session was to start after it."
    )
    session = sandbox.show(third)
    assert (session["status"], session["end_reason"]) == ("failed", "dependency_failed")
    assert session["error_message"].startswith(f"Session {first} (build) was interrupted, so {second} could not start")
    assert sandbox.wait_for_end(whatever)["status"] == "completed"
    eventually(lambda: (sandbox.work / "ended").exists(), "the command at the end")
    assert (sandbox.work / "ended").read_text() == "dependency_failed\n"
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_interrupted_dependant_is_interrupted_and_fails_its_own(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    second = sandbox.launch("then", "--after", first)
    third = sandbox.launch("then", "--after", second)
    sandbox.ok("interrupt", second)
    wait_for_statuses(sandbox, {first: "running", second: "interrupted", third: "failed"})


def test_launch_after_a_failed_session_is_refused(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    sandbox.run("launch", "breaks", "--name", "build", "--wait")
    failed = sandbox.show("build")["id"]
    refused = sandbox.run("launch", "then", "--after", "build")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert f"Session {failed} (build) failed (api_error)" in refused.stderr
    assert "--after-any" in refused.stderr
    assert list(statuses(sandbox)) == [failed]
    assert sandbox.launch("then", "--after-any", "build", "--wait") == "Also done."


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--after", UNKNOWN], 3, UNKNOWN),
        (["--after", "ab"], 3, "ab"),
        (["--after", ""], 2, "--after"),
        (["--after-any", "first,"], 2, "--after-any"),
        (["--name", "itself", "--after", "itself"], 2, "itself"),
    ],
)
def test_bad_predecessor_is_refused(sandbox: Sandbox, options: list[str], code: int, words: str) -> None:
    refused = sandbox.run("launch", "Go", *options)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert words in refused.stderr
    assert not sandbox.state.sessions.exists()


def test_results_and_titles_are_put_into_the_query(sandbox: Sandbox) -> None:
    first = launch_first(sandbox, "--name", "build", "--title", "A build")
    query = "then {result:build} {title:" + first[:8] + "} {{result:build}} {other:build} {}"
    then = sandbox.launch(query, "--after", "build")
    sandbox.ok("set", "build", "--name", "renamed")
    sandbox.release()
    session = sandbox.wait_for_end(then)
    sent = "then Done. A build {result:build} {other:build} {}"
    assert (session["query"], session["sent_query"]) == (query, sent)
    assert sandbox.server is not None
    assert sent in json.dumps(sandbox.server.requests[-1]["messages"])
    assert sandbox.events(then)[0]["content"] == query
    assert sent in sandbox.ok("show", then)
    assert "> then Done. A build" in sandbox.ok("export", then)


def test_long_result_is_handed_over_as_a_file_that_may_be_read(sandbox: Sandbox) -> None:
    text = "\n".join(["é" * 100] * 501)
    first_part = f"[first]\n{WAITING_SCRIPT.replace('say Done.', '')}say <<END\n{text}\nEND\n"
    sandbox.serve_script(first_part)
    first = sandbox.launch("first", *ALLOW_BASH)
    then = sandbox.launch("then {result:last}", "--after", first)
    file = sandbox.files(then).results / f"result-{first}.txt"
    assert sandbox.server is not None
    read = f'call Read {{"file_path": "{file}", "limit": 1}}'
    sandbox.server.script = parse(f"{first_part}\n[then]\n{read}\n\nsay Done.")
    sandbox.release()
    session = sandbox.wait_for_end(then)
    assert session["sent_query"] == f"then (in the file {file})"
    assert file.read_text() == text
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (session["result_content"], session["permission_denials"]) == ("Done.", [])
    (result,) = [event for event in sandbox.events(then) if event["event_type"] == "tool_result"]
    assert (result["is_error"], "é" * 100 in result["tool_result_content"]) == (False, True)


def test_reference_to_another_session_is_refused(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    other = sandbox.launch("then", "--wait", "-q") and sandbox.show("last")["id"]
    for options, ref in (["--after", first], other), (["--after", first], "nothing"), ([], other):
        refused = sandbox.run("launch", f"then {{result:{ref}}}", *options)
        assert (refused.returncode, ref in refused.stderr) == (2, True), options
    assert set(statuses(sandbox)) == {first, other}


def test_text_in_braces_is_left_alone_without_predecessors(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    sandbox.launch("then {result:value} {{title:x}}", "--wait")
    assert sandbox.server is not None
    assert "then {result:value} {{title:x}}" in json.dumps(sandbox.server.requests[-1]["messages"])


def test_continuation_waits_for_its_parent(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    second = sandbox.ok("continue", first, "then", "--after", first).strip()
    third = sandbox.ok("continue", second, "then", "--after", second).strip()
    assert [statuses(sandbox)[each] for each in (first, second, third)] == ["running", "queued", "queued"]
    sandbox.release()
    assert sandbox.wait_for_end(third)["status"] == "completed"
    assert sandbox.show(third)["parent_session_id"] == second
    assert sandbox.server is not None
    assert "Also done." in json.dumps(sandbox.server.requests[-1]["messages"])


def test_continuation_of_a_session_without_a_conversation_fails(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    second = sandbox.launch("then", "--after", first)
    third = sandbox.ok("continue", second, "then", "--after-any", second).strip()
    sandbox.ok("interrupt", second)
    session = sandbox.wait_for_end(third)
    assert session["end_reason"] == "dependency_failed"
    assert f"Session {second} ended before Claude Code began a conversation" in session["error_message"]


def test_all_sessions_of_a_chain_can_be_interrupted_at_once(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    second = sandbox.launch("then", "--after", first)
    third = sandbox.launch("then", "--after", second)
    sandbox.ok("interrupt", "--all")
    assert statuses(sandbox) == dict.fromkeys((first, second, third), "interrupted")


def test_predecessors_are_not_inherited(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    sandbox.launch("then", "--wait")
    sandbox.launch("then", "--after", "last", "--wait")
    sandbox.ok("continue", "last", "then", "--wait")
    assert sandbox.show("last")["after"] is None


def test_queued_sessions_survive_the_loss_of_the_database(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    second = sandbox.launch("then {result:last}", "--after", first)
    third = sandbox.launch("then", "--after", second)
    sandbox.power_off()
    for file in sandbox.state.root.glob("hldctl.db*"):
        file.unlink()
    for session_id in (first, second, third):
        # The directory of a session that is being launched is left alone.
        os.utime(sandbox.files(session_id).directory, (0, 0))
    sandbox.run("doctor", "--fix")
    assert sandbox.run("wait", third).returncode == 1
    reasons = {session["id"]: session["end_reason"] for session in json.loads(sandbox.ok("ls", "--json"))}
    assert reasons == {first: "lost", second: "dependency_failed", third: "dependency_failed"}
    assert f"Session {first} failed (lost)" in sandbox.show(third)["error_message"]


def test_awaited_session_is_not_deleted(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    done = sandbox.launch("then", "--wait", "-q") and sandbox.show("last")["id"]
    then = sandbox.launch("then", "--after", f"{first},{done}")
    refused = sandbox.run("rm", done)
    assert (refused.returncode, then in refused.stderr, "--force" in refused.stderr) == (4, True, True)
    assert sandbox.ok("prune", "--keep", "0") == ""
    assert sandbox.ok("rm", "--force", done).strip() == done
    wait_for_statuses(sandbox, {first: "running", then: "failed"})
    session = sandbox.show(then)
    assert session["end_reason"] == "dependency_failed"
    assert session["error_message"].startswith(f"Session {done} was deleted")


def test_tree_and_page_show_the_predecessors(sandbox: Sandbox) -> None:
    first = launch_first(sandbox, "--name", "build")
    second = sandbox.launch("then", "--after", first)
    third = sandbox.launch("then", "--after", second, "--after-any", first)
    lines = sandbox.ok("ls", "--tree").splitlines()[1:]
    assert [line.split()[0] for line in lines] == [first[:8], second[:8], third[:8]]
    assert [line.count("└") and line.index("└") - line.index("then") for line in lines[1:]] == [-2, -2]
    assert lines[2].index("└") == lines[1].index("└") + 2
    page = sandbox.ok("show", third)
    assert f"{first} (build), running" in page
    assert f"{second}, queued" in page
    states = sandbox.show(third)["predecessors"]
    assert [(state["id"], state["status"]) for state in states] == [(second, "queued"), (first, "running")]


def test_session_waiting_for_a_predecessor_uses_no_cpu(sandbox: Sandbox) -> None:
    first = launch_first(sandbox)
    then = sandbox.launch("then", "--after", first)
    supervisor = psutil.Process(sandbox.show(then)["supervisor_pid"])
    wait_until_asleep(supervisor)
    before = count_wakeups(supervisor)
    sandbox.wait_for_journal(first, "go-on")
    sandbox.ok("wait", first, "--until", "running")
    assert count_wakeups(supervisor) - before < 5


def test_waiting_session_has_neither_a_slot_nor_a_name(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 2")
    first = launch_first(sandbox)
    waits = sandbox.launch("then", "--after", first, "--name", "nightly")
    assert sandbox.launch("then", "--name", "nightly", "--if-running", "queue", "--wait") == "Also done."
    assert statuses(sandbox)[waits] == "queued"


def test_kept_open_predecessor_has_ended_when_it_is_closed(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    open_session = sandbox.launch("then", "--keep-open")
    then = sandbox.launch("then", "--after", open_session)
    wait_for_status(sandbox, open_session, "idle")
    assert statuses(sandbox)[then] == "queued"
    sandbox.ok("close", open_session)
    assert sandbox.wait_for_end(then)["status"] == "completed"


@pytest.mark.parametrize("killed", [1, 2])
def test_chain_continues_after_supervisors_are_killed(sandbox: Sandbox, killed: int) -> None:
    first = launch_first(sandbox)
    second = sandbox.launch("then", "--after", first)
    third = sandbox.launch("then", "--after", second)
    sandbox.wait_for_journal(first, "go-on")
    pids = [sandbox.show(session_id)["supervisor_pid"] for session_id in (first, second)[:killed]]
    # Without their guards: only a session that waits for them can notice their death.
    kill(sandbox.guards())
    for pid in pids:
        kill_and_wait(psutil.Process(pid))
    sandbox.release()
    journal = sandbox.files(third).journal
    eventually(lambda: b"Also done." in journal.read_bytes(), "the last session to run without any command")


@pytest.mark.parametrize("failing", [False, True], ids=["completes", "fails"])
def test_chain_continues_after_a_reboot(sandbox: Sandbox, failing: bool) -> None:
    first = launch_first(sandbox)
    then = sandbox.launch("then", "--after" if failing else "--after-any", first)
    last = sandbox.launch("then", "--after", then, "--on-end", "echo ended >> ended")
    sandbox.power_off()
    sandbox.sql("UPDATE sessions SET boot_id = 'the last boot'")
    sandbox.run("wait", last)
    ended = {session["id"]: session["end_reason"] for session in json.loads(sandbox.ok("ls", "--json"))}
    reason = "dependency_failed" if failing else "success"
    assert ended == {first: "lost", then: reason, last: reason}
    eventually(lambda: (sandbox.work / "ended").exists(), "the command at the end")
    assert (sandbox.work / "ended").read_text() == "ended\n"
