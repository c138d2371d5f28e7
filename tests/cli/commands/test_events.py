from __future__ import annotations

import json
import signal

import psutil

from tests.helpers.sandbox import TIMEOUT_SECONDS, Json, Sandbox, wait_until_asleep


def feed_events(sandbox: Sandbox, *arguments: str) -> list[Json]:
    return [json.loads(line) for line in sandbox.ok("events", "--json", *arguments).splitlines()]


def test_feed_has_every_change_once_and_in_order(sandbox: Sandbox) -> None:
    sandbox.serve_script('say One.\ncall Bash {"command": "echo out"}\n\nsay Two.')
    session_id = sandbox.launch("Hi", "--allowed-tools", "Bash")
    session = sandbox.wait_for_end(session_id)
    events = feed_events(sandbox)
    fields = ["id", "type", "session_id", "run_id", "timestamp", "data", "activity", "event", "approval", "message"]
    assert all(list(event) == fields for event in events)
    assert {event["run_id"] for event in events} == {session["run_id"]}
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})
    statuses = [event["data"] for event in events if event["type"] == "session_status_changed"]
    assert [(data["old_status"], data["new_status"]) for data in statuses] == [
        (None, "starting"),
        ("starting", "running"),
        ("running", "completed"),
    ]
    assert statuses[-1]["end_reason"] == "success"
    sequences = [event["data"]["sequence"] for event in events if event["type"] == "conversation_updated"]
    assert sequences == [event["sequence"] for event in sandbox.events(session_id)]
    call = next(event["data"] for event in events if event["data"].get("event_type") == "tool_call")
    assert call["tool_name"] == "Bash"
    contents = [event["event"] for event in events if event["type"] == "conversation_updated"]
    assert contents == sandbox.events(session_id)
    assert [each["tool_name"] for each in contents if each["event_type"] == "tool_result"] == ["Bash"]
    assert {str(event["activity"]) for event in events} == {"None"}


def test_feed_announces_an_interrupt_before_it_happens(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hi")
    sandbox.wait_for_journal(session_id, "Here.")
    sandbox.ok("interrupt", session_id)
    statuses = [event["data"]["new_status"] for event in feed_events(sandbox, "--type", "session_status_changed")]
    assert statuses == ["starting", "running", "interrupting", "interrupted"]


def test_feed_resumes_after_an_id_and_filters(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    for query in ("one", "two"):
        sandbox.run("launch", query, "--wait")
    second, first = sandbox.ok("ls", "-q").split()
    all_events = feed_events(sandbox)
    assert feed_events(sandbox, "--after", str(all_events[2]["id"])) == all_events[3:]
    assert feed_events(sandbox, "--session", first) + feed_events(sandbox, "--session", second) == all_events
    assert {event["type"] for event in feed_events(sandbox, "--type", "conversation_updated")} == {
        "conversation_updated"
    }
    assert len(sandbox.ok("events").splitlines()) == len(all_events)


def test_slow_reader_misses_nothing(sandbox: Sandbox) -> None:
    count = 3000
    line = '{"type": "assistant", "message": {"role": "assistant", "content": "x"}}\n'
    sandbox.fake_claude(f"os.write(1, {line.encode()!r} * {count})")
    follower = sandbox.popen("events", "-f", "--json", "--type", "conversation_updated")
    sandbox.run("launch", "Hi", "--wait")
    assert follower.stdout is not None
    sequences = [json.loads(follower.stdout.readline())["data"]["sequence"] for _ in range(count + 1)]
    assert sequences == list(range(1, count + 2))
    follower.send_signal(signal.SIGINT)
    assert follower.wait(TIMEOUT_SECONDS) == 130
    follower.communicate()


def test_feed_ids_are_never_reused(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    last = feed_events(sandbox)[-1]["id"]
    sandbox.sql("DELETE FROM feed")
    sandbox.run("launch", "Hi", "--wait")
    # IDs are never reused.
    assert feed_events(sandbox)[0]["id"] > last


def test_unknown_type_or_session_is_an_error(sandbox: Sandbox) -> None:
    assert sandbox.run("events", "--type", "gossip").returncode == 2
    assert sandbox.run("events", "--session", "nobody").returncode == 3
    assert sandbox.run("events").stdout == ""


def test_new_prints_only_events_from_now_on(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    first = sandbox.launch("one")
    sandbox.run("wait", first)
    with sandbox.popen("events", "-f", "--new", "--json") as process:
        assert process.stdout is not None
        wait_until_asleep(psutil.Process(process.pid))
        second = sandbox.launch("two")
        event = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
    assert (event["session_id"], event["data"]["new_status"]) == (second, "starting")


def test_new_needs_follow(sandbox: Sandbox) -> None:
    for arguments in (["--new"], ["--new", "-f", "--after", "3"]):
        assert sandbox.run("events", *arguments).returncode == 2
