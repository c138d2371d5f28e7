"""Messages at moments and with contents that are unusual: each is delivered once and in order, or refused by name."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from tests.helpers.messages import launch_gated, user_messages
from tests.helpers.restarts import skip_delay, wait_for_restart
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, kill, kill_and_wait

READS_NOTHING = 'open("started", "w").close()\nwhile True: time.sleep(0.05)\n'


def messages_in_requests(sandbox: Sandbox, text: str) -> int:
    """Return how often the model got this text in the conversation that it saw last."""
    assert sandbox.server is not None
    messages = [message for message in sandbox.server.requests[-1]["messages"] if message["role"] != "system"]
    return str(messages).count(text)


def wait_for_messages(sandbox: Sandbox, session_id: str, count: int) -> None:
    eventually(lambda: sandbox.show(session_id)["pending_messages"] == count, f"{count} messages to wait")


@pytest.mark.parametrize("content", [b"", b" \n\t\n"], ids=["empty", "blank"])
def test_empty_file_is_refused(sandbox: Sandbox, content: bytes) -> None:
    session_id = launch_gated(sandbox)
    file = sandbox.work / "message"
    file.write_bytes(content)
    refused = sandbox.run("send", session_id, "--file", file)
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", "hldctl: The message is empty.\n")
    assert sandbox.show(session_id)["pending_messages"] == 0


def test_messages_to_a_queued_session_arrive_after_its_query(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1\n")
    first = launch_gated(sandbox)
    queued = sandbox.launch("Hello", "--allowed-tools", "Bash")
    waiting = sandbox.run("send", queued, "First", "--timeout", "0s")
    assert (waiting.returncode, waiting.stdout) == (124, "")
    with sandbox.popen("send", queued, "Second") as sender:
        # The query waits, too.
        wait_for_messages(sandbox, queued, 3)
        sandbox.release()
        assert sender.wait() == 0
    sandbox.ok("wait", first, queued)
    assert user_messages(sandbox, queued) == ["Hello", "First", "Second"]


def test_closing_session_refuses_a_message(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox, "--keep-open")
    sandbox.ok("send", session_id, "In time")
    sandbox.ok("close", "--no-wait", session_id)
    refused = sandbox.run("send", session_id, "Too late")
    assert (refused.returncode, "is ending; use: hldctl continue" in refused.stderr) == (4, True)
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert user_messages(sandbox, session_id) == ["Hello", "In time"]


def test_session_that_is_being_interrupted_refuses_a_message(sandbox: Sandbox) -> None:
    sandbox.fake_claude(f"signal.signal(signal.SIGINT, signal.SIG_IGN)\n{READS_NOTHING}")
    session_id = sandbox.launch("Hello")
    eventually((sandbox.work / "started").exists, "it to run")
    sandbox.ok("interrupt", session_id, "--timeout", "1h", "--no-wait")
    refused = sandbox.run("send", session_id, "Too late")
    assert (refused.returncode, "is ending" in refused.stderr) == (4, True)
    sandbox.ok("interrupt", session_id, "--timeout", "0")


def test_messages_before_and_during_the_pause_of_a_retry_are_delivered_in_order(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox, "--retries", "1")
    # Claude Code has it, the model does not.
    sandbox.ok("send", session_id, "First")
    kill([psutil.Process(sandbox.show(session_id)["pid"])])
    wait_for_restart(sandbox, session_id)
    for text in ("Second", "Third"):
        assert sandbox.run("send", session_id, text, "--timeout", "0s").returncode == 124
    sandbox.release()
    skip_delay(sandbox, session_id)
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    assert user_messages(sandbox, session_id) == ["Hello", "First", "Second", "Third"]
    assert [messages_in_requests(sandbox, text) for text in ("First", "Second", "Third")] == [1, 1, 1]


def test_messages_while_the_api_refuses_the_query_are_delivered_in_order(sandbox: Sandbox) -> None:
    sandbox.serve_script("fail 500 x2 down\n\nsay Back.\n\nawait message\nsay Noted.\n\nawait message\nsay Noted.")
    session_id = sandbox.launch("Hello", "--retries", "1")
    wait_for_restart(sandbox, session_id)
    for text in ("Message one", "Message two"):
        assert sandbox.run("send", session_id, text, "--timeout", "0s").returncode == 124
    skip_delay(sandbox, session_id)
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    assert user_messages(sandbox, session_id) == ["Hello", "Message one", "Message two"]
    assert [messages_in_requests(sandbox, text) for text in ("Message one", "Message two")] == [1, 1]


def test_messages_that_wait_for_the_end_of_a_turn_are_recorded_one_by_one(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.\nwait 1s\n\n[First]\nsay Two.")
    session_id = sandbox.launch("Hello", "--keep-open")
    server = sandbox.server
    assert server is not None
    eventually(lambda: server.requests, "the request")
    texts = ["First", "Second", "Third"]
    for text in texts:
        sandbox.ok("send", session_id, text)
    sandbox.ok("close", session_id)
    assert user_messages(sandbox, session_id) == ["Hello", *texts]
    assert [messages_in_requests(sandbox, text) for text in texts] == [1, 1, 1]


def test_twelve_senders_at_once_are_all_delivered_in_one_order(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    senders = [sandbox.popen("send", session_id, f"Message {number:02}") for number in range(12)]
    outputs = [sender.communicate() for sender in senders]
    assert [(sender.returncode, errors) for sender, (_, errors) in zip(senders, outputs, strict=True)] == [(0, "")] * 12
    sandbox.release()
    sandbox.wait_for_end(session_id)
    in_order = [text for (text,) in sandbox.sql("SELECT text FROM messages WHERE text IS NOT NULL ORDER BY rowid")]
    assert user_messages(sandbox, session_id)[1:] == in_order
    assert sorted(in_order) == [f"Message {number:02}" for number in range(12)]
    assert [messages_in_requests(sandbox, text) for text in in_order] == [1] * 12


@pytest.mark.parametrize("way", ["argument", "file", "pipe"])
def test_invalid_utf8_is_replaced(sandbox: Sandbox, way: str) -> None:
    session_id = launch_gated(sandbox)
    text = b"caf\xe9 \xff ok"
    file = sandbox.work / "message"
    file.write_bytes(text)
    argument = {"argument": [text], "file": [b"--file", b"message"], "pipe": [b"-"]}[way]
    with file.open("rb") as standard_input:
        done = subprocess.run(
            [sys.executable.encode(), b"-m", b"hldctl", b"send", session_id.encode(), *argument],
            stdin=standard_input if way == "pipe" else subprocess.DEVNULL,
            capture_output=True,
            cwd=sandbox.work,
            env=sandbox.environment,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert user_messages(sandbox, session_id) == ["Hello", "caf� � ok"]


def test_five_megabytes_and_a_short_message_keep_their_order(sandbox: Sandbox) -> None:
    session_id = launch_gated(sandbox)
    texts = ["\u2028\u2029\x85" + "é" * 2_500_000, "short"]
    sandbox.ok("send", session_id, "-", input=texts[0])
    sandbox.ok("send", session_id, texts[1])
    sandbox.release()
    sandbox.wait_for_end(session_id)
    assert user_messages(sandbox, session_id)[1:] == texts


@pytest.mark.parametrize("is_supervisor_killed", [False, True], ids=["same-supervisor", "next-supervisor"])
def test_deleted_input_pipe_is_not_needed(sandbox: Sandbox, is_supervisor_killed: bool) -> None:
    session_id = launch_gated(sandbox)
    sandbox.files(session_id).input.unlink()
    if is_supervisor_killed:
        kill_and_wait(psutil.Process(sandbox.show(session_id)["supervisor_pid"]))
    sandbox.ok("send", session_id, "Still there?")
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    assert user_messages(sandbox, session_id) == ["Hello", "Still there?"]


def test_claude_code_that_reads_nothing_is_reported_and_can_be_interrupted(sandbox: Sandbox) -> None:
    sandbox.fake_claude(READS_NOTHING)
    session_id = sandbox.launch("Hello")
    waited = sandbox.run("send", session_id, "Anybody?", "--timeout", "0s")
    assert (waited.returncode, waited.stdout) == (124, "")
    assert "is pending; the wait for it timed out" in waited.stderr
    # More than the pipe has room for.
    assert sandbox.run("send", session_id, "-", "--timeout", "0s", input="x" * 3_000_000).returncode == 124
    assert sandbox.ok("interrupt", session_id) == f"{session_id} interrupted\n"
    assert sandbox.sql("SELECT status FROM messages ORDER BY rowid") == [("cancelled",)] * 3


def test_claude_code_that_acknowledges_nothing_is_reported_and_can_be_interrupted(sandbox: Sandbox) -> None:
    sandbox.fake_claude('for line in sys.stdin: print(line, file=open("received", "a"), flush=True)')
    received = sandbox.work / "received"
    session_id = sandbox.launch("Hello")
    with sandbox.popen("send", session_id, "Anybody?", "--timeout", "2s") as sender:
        eventually(lambda: received.exists() and "Anybody?" in received.read_text(), "Claude Code to have it")
        output, errors = sender.communicate()
    assert (sender.returncode, output, "is sent; the wait for it timed out" in errors) == (124, "", True)
    sandbox.ok("interrupt", session_id)
    assert sandbox.sql("SELECT status FROM messages ORDER BY rowid") == [("cancelled",)] * 2


def test_death_of_claude_code_while_a_message_is_written_ends_the_wait(sandbox: Sandbox) -> None:
    sandbox.fake_claude('sys.stdin.buffer.readline()\nos.read(0, 100_000)\nopen("died", "w").close()\nsys.exit(1)')
    session_id = sandbox.launch("Hello")
    sender = sandbox.run("send", session_id, "-", input="x" * 3_000_000)
    assert (sender.returncode, sender.stdout) == (4, "")
    assert "has ended and did not get message" in sender.stderr
    assert (sandbox.work / "died").exists()


def test_message_cut_off_by_the_death_of_claude_code_is_whole_for_the_next_one(sandbox: Sandbox) -> None:
    sandbox.fake_claude("""
if not os.path.exists("died"):
    sys.stdin.buffer.readline()
    os.read(0, 100_000)
    open("died", "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
for line in sys.stdin.buffer:
    received = json.loads(line)
    with open("received", "a") as file:
        print(len(received["message"]["content"]) if received["type"] == "user" else received["type"], file=file)
    if received["type"] == "user":
        lifecycle = {"type": "command_lifecycle", "command_uuid": received["uuid"], "state": "queued"}
        replay = received | {"isReplay": True}
        state = {"type": "system", "subtype": "session_state_changed", "state": "idle"}
        result = {"type": "result", "subtype": "success", "is_error": False, "result": "ok"}
        for value in (lifecycle, replay, result, state):
            print(json.dumps(value), flush=True)
    else:
        break
""")
    session_id = sandbox.launch("Hello", "--retries", "1")
    with sandbox.popen("send", session_id, "-", stdin=subprocess.PIPE) as sender:
        assert sender.stdin is not None
        sender.stdin.write("x" * 3_000_000)
        sender.stdin.close()
        wait_for_restart(sandbox, session_id)
        skip_delay(sandbox, session_id)
        assert sender.wait() == 0
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    assert (sandbox.work / "received").read_text().split() == ["5", "3000000", "control_request"]
