"""Messages to a running session: delivered once, in order, at the end of the tool call that runs."""

from __future__ import annotations

import json

import psutil
import pytest

from tests.helpers.messages import launch_gated, user_messages
from tests.helpers.sandbox import Sandbox, eventually, is_dead, kill_and_wait


def test_message_reaches_the_model_at_the_end_of_the_tool_call(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    message_id = sandbox.ok("send", session_id, "One more thing").strip()
    sandbox.release()
    sandbox.wait_for_end(session_id)
    # Claude Code makes a task of a call that takes some seconds.
    kinds = [event["event_type"] for event in sandbox.events(session_id) if event["event_type"] != "system"]
    assert kinds == ["message", "message", "tool_call", "tool_result", "message", "message"]
    assert user_messages(sandbox, session_id) == ["Hello", "One more thing"]
    assert sandbox.sql("SELECT id, status, sequence FROM messages ORDER BY rowid") == [
        (session_id, "delivered", 1),
        (message_id, "delivered", 5),
    ]


def test_wait_prints_the_answer_of_the_turn(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    with sandbox.popen("send", "--wait", session_id, "One more thing") as sender:
        acknowledged = "SELECT 1 FROM messages WHERE acknowledged_at IS NOT NULL AND text IS NOT NULL"
        eventually(lambda: sandbox.sql(acknowledged), "Claude Code to have the message")
        sandbox.release()
        output, errors = sender.communicate()
    assert (sender.returncode, output, errors) == (0, "Two.\n", "")


def test_json_has_the_answer_of_the_turn(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    sent = json.loads(sandbox.ok("send", "--json", session_id, "One more thing"))
    assert (sent["text"], sent["answer"], sent["answered_at"]) == ("One more thing", None, None)
    with sandbox.popen("send", "--wait", "--json", session_id, "And another") as sender:
        eventually(lambda: sandbox.show(session_id)["pending_messages"] == 2, "the second message")
        sandbox.release()
        answered = json.loads(sender.communicate()[0])
    assert (answered["text"], answered["status"], answered["answer"]) == ("And another", "delivered", "Two.")
    assert answered["answered_at"] >= answered["delivered_at"]


def test_messages_keep_their_order(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    texts = [f"Message {number}" for number in range(5)]
    for text in texts:
        sandbox.ok("send", session_id, text)
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert user_messages(sandbox, session_id) == ["Hello", *texts]


@pytest.mark.parametrize(
    "text", ["x" * 5_000_000, "line one\nline\u2028two\r\n{}", "nul\0byte"], ids=["5 MB", "lines", "NUL"]
)
def test_text_arrives_unchanged(sandbox: Sandbox, text: str) -> None:
    session_id = launch_gated(sandbox)
    file = sandbox.work / "message"
    file.write_bytes(text.encode())
    sandbox.ok("send", session_id, "--file", file)
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert user_messages(sandbox, session_id)[1] == text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def test_ended_session_refuses_a_message(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_end(session_id)
    refused = sandbox.run("send", session_id, "More")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert f"hldctl continue {session_id[:8]}" in refused.stderr


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_message_is_refused(sandbox: Sandbox, text: str) -> None:
    session_id = launch_gated(sandbox)
    assert sandbox.run("send", session_id, text).returncode == 2
    sandbox.release()


def test_message_that_is_not_delivered_at_the_end_is_cancelled(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    sandbox.ok("send", session_id, "Too late")
    sandbox.ok("interrupt", session_id)
    assert sandbox.sql("SELECT status FROM messages WHERE text IS NOT NULL") == [("cancelled",)]


def test_undelivered_message_is_named(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    sandbox.ok("send", session_id, "Too late")
    sandbox.ok("interrupt", session_id)
    assert "undelivered message" in sandbox.ok("show", session_id)
    (message,) = sandbox.show(session_id)["undelivered_messages"]
    assert (message["text"], message["status"], message["sequence"]) == ("Too late", "cancelled", None)
    reports = [sandbox.run(*command, session_id).stderr for command in (["wait"], ["tail"])]
    assert all("ended before it got 1 message" in report for report in reports)


def test_sent_message_is_marked_where_the_model_got_it(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    message_id = sandbox.ok("send", session_id, "One more thing").strip()
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert "\nuser (sent while running): One more thing\n" in sandbox.ok("tail", session_id)
    assert "sent while running" in sandbox.ok("tail", "--color", "always", session_id)
    assert "### User, while running\n\n> One more thing\n" in sandbox.ok("export", session_id)
    assert "User, while running" in sandbox.ok("export", "--format", "html", session_id)
    feed = [json.loads(line) for line in sandbox.ok("events", "--json", "--type", "message_changed").splitlines()]
    assert [(event["session_id"], event["data"]) for event in feed] == [
        (session_id, {"id": message_id, "status": "pending", "sequence": None}),
        (session_id, {"id": message_id, "status": "delivered", "sequence": 5}),
    ]


def test_session_ends_without_its_supervisor_and_without_a_command(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox, "--on-end", "touch ended")
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    kill_and_wait(supervisor)
    sandbox.release()
    eventually((sandbox.work / "ended").exists, "the command at the end to run")
    eventually(lambda: not sandbox.processes(), "all processes to exit")
    assert is_dead(supervisor)


def test_message_survives_the_death_of_the_supervisor(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    kill_and_wait(psutil.Process(sandbox.show(session_id)["supervisor_pid"]))
    sandbox.ok("send", session_id, "Still there?")
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert user_messages(sandbox, session_id) == ["Hello", "Still there?"]
