"""Sessions that a user takes over in the terminal, and gives back."""

from __future__ import annotations

import json
import re
import signal

import psutil
import pytest

from tests.helpers.interactive_claude import leave, prepare, say, type_line
from tests.helpers.kill_at import crash_at
from tests.helpers.sandbox import GATED_SCRIPT, Json, Sandbox, claude_binary, eventually, is_dead, kill_and_wait
from tests.helpers.terminal import JOB_CONTROL, Terminal

SCRIPT = f"say One.\n\n[second]\nsay Two.\n\n[third]\nsay Three.\n\n[gated]\n{GATED_SCRIPT}\n"


@pytest.fixture
def ended(sandbox: Sandbox) -> str:
    """A session that has ended."""
    sandbox.serve_script(SCRIPT)
    prepare(sandbox)
    session_id = sandbox.launch("First")
    sandbox.wait_for_end(session_id)
    return session_id


def words(sandbox: Sandbox, session_id: str) -> list[str]:
    return [event["content"] for event in sandbox.events(session_id)]


def children(sandbox: Sandbox, session_id: str) -> list[Json]:
    return [sandbox.show(child) for child in sandbox.show(session_id)["children"]]


def claude_process(sandbox: Sandbox) -> psutil.Process:
    """Return the Claude Code in the terminal."""
    (process,) = sandbox.processes_with_argument("settings-open.json")
    return process


def test_what_was_said_in_the_terminal_becomes_a_session(sandbox: Sandbox, ended: str) -> None:
    before = sandbox.events(ended)
    with Terminal(sandbox, "open", ended) as terminal:
        modes = terminal.modes()
        say(terminal, "the second question", "Two.")
        leave(terminal)
        code, output = terminal.wait_for_exit()
        assert (code, terminal.is_restored(), terminal.modes()) == (0, True, modes)
    (record,) = children(sandbox, ended)
    assert record["id"] in output
    assert (record["status"], record["source"], record["claude_session_id"]) == ("completed", "interactive", ended)
    assert (record["query"], record["result_content"]) == ("the second question", "Two.")
    assert record["cost_usd"] > 0 < record["output_tokens"]
    assert words(sandbox, record["id"]) == ["the second question", "Two."]
    assert sandbox.events(ended) == before
    assert sandbox.ok("continue", ended, "third", "--wait") == "Three.\n"
    assert sandbox.server is not None
    assert "the second question" in json.dumps(sandbox.server.requests[-1]["messages"])


def test_open_session_is_marked_until_the_terminal_is_left(sandbox: Sandbox, ended: str) -> None:
    with Terminal(sandbox, "open", ended) as terminal:
        say(terminal, "the second question", "Two.")
        opener = json.loads(sandbox.files(ended).open_record.read_text())["pid"]
        (listed,) = json.loads(sandbox.ok("ls", "--json"))
        assert listed["open_in_terminal"] == sandbox.show(ended)["open_in_terminal"]
        assert listed["open_in_terminal"]["pid"] == opener
        assert "(open in a terminal, " in sandbox.ok("ls")
        assert f"open in a terminal          by pid {opener}, since " in sandbox.ok("show", ended)
        for command, text in (
            (("ls",), "open in a terminal "),
            (("show", ended), f"in a terminal (pid {opener}) for "),
        ):
            with Terminal(sandbox, *command, columns=140, lines=30) as other:
                other.wait_for_screen(text)
        leave(terminal)
        terminal.wait_for_exit()
    assert {session["open_in_terminal"] for session in json.loads(sandbox.ok("ls", "--json"))} == {None}


def test_terminal_has_the_settings_of_the_session(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    options = ("--model", "haiku", "--append-system-prompt", "Be brief.", "--env", "COLOUR=blue", "--approvals")
    prepare(sandbox)
    session_id = sandbox.launch("First", *options, "--max-turns", "3", "--", "--include-partial-messages")
    sandbox.wait_for_end(session_id)
    with Terminal(sandbox, "open", session_id) as terminal:
        say(terminal, "second", "Two.")
        environment = claude_process(sandbox).environ()
        leave(terminal)
        assert terminal.wait_for_exit()[0] == 0
    assert (environment["COLOUR"], environment["HLDCTL_SESSION_ID"]) == ("blue", session_id)
    assert sandbox.server is not None
    request = next(each for each in reversed(sandbox.server.requests) if "second" in json.dumps(each["messages"]))
    assert "haiku" in request["model"]
    assert "Be brief." in json.dumps(request["system"])


def test_nobody_else_writes_to_an_open_session(sandbox: Sandbox, ended: str) -> None:
    with Terminal(sandbox, "open", ended) as terminal:
        terminal.wait_for_screen("❯")
        for command in (("send", ended, "More"), ("continue", ended, "More"), ("rm", ended), ("open", ended)):
            with Terminal(sandbox, *command) as other:
                code, output = other.wait_for_exit()
                assert (code, "is open in a terminal" in output) == (4, True), command
        leave(terminal)
        assert "nothing was said" in terminal.wait_for_exit()[1]
    assert children(sandbox, ended) == []
    assert sandbox.ok("continue", ended, "second", "--wait") == "Two.\n"


def test_open_waits_for_the_end_of_the_turn(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    prepare(sandbox)
    session_id = sandbox.launch("gated", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    with Terminal(sandbox, "open", session_id, "--timeout", "1s") as terminal:
        assert terminal.wait_for_exit()[0] == 124
    with Terminal(sandbox, "open", session_id) as terminal:
        eventually(lambda: sandbox.run("send", session_id, "More").returncode == 4, "the session to be reserved")
        sandbox.release()
        terminal.wait_for_screen("❯")
        leave(terminal)
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.show(session_id)["status"] == "completed"


def test_open_now_interrupts_the_turn(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    prepare(sandbox)
    session_id = sandbox.launch("gated", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    with Terminal(sandbox, "open", "--now", session_id) as terminal:
        say(terminal, "second", "Two.")
        leave(terminal)
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.show(session_id)["status"] == "interrupted"


def test_session_that_is_kept_open_is_closed_and_sent_to_the_background_again(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    prepare(sandbox)
    session_id = sandbox.launch("First", "--keep-open")
    sandbox.ok("wait", "--until", "idle", session_id)
    with Terminal(sandbox, "open", session_id, "--continue", "third") as terminal:
        say(terminal, "second", "Two.")
        leave(terminal)
        code, output = terminal.wait_for_exit()
    assert code == 0
    record, continuation = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", output)[-2:]
    assert sandbox.show(session_id)["status"] == "completed"
    assert sandbox.show(continuation)["parent_session_id"] == record
    assert sandbox.wait_for_end(continuation)["result_content"] == "Three."


@pytest.mark.parametrize("victim", ["hldctl", "claude"])
def test_words_survive_a_kill(sandbox: Sandbox, ended: str, victim: str) -> None:
    with Terminal(sandbox, "open", ended) as terminal:
        modes = terminal.modes()
        say(terminal, "second", "Two.")
        claude = claude_process(sandbox)
        if victim == "claude":
            # It writes its transcript a moment after the screen.
            (transcript,) = sandbox.home.glob(f".claude/projects/*/{ended}.jsonl")
            eventually(lambda: b"Two." in transcript.read_bytes(), "the answer in the transcript")
            kill_and_wait(claude)
            assert terminal.wait_for_exit()[0] == 0
            assert terminal.modes() == modes
        else:
            kill_and_wait(psutil.Process(terminal.process.pid))
            eventually(lambda: is_dead(claude), "Claude Code to end, too")
    assert sandbox.ok("continue", ended, "third", "--wait") == "Three.\n"
    record = next(child for child in children(sandbox, ended) if child["source"] == "interactive")
    assert words(sandbox, record["id"]) == ["second", "Two."]


def test_words_survive_a_closed_terminal(sandbox: Sandbox, ended: str) -> None:
    with Terminal(sandbox, "open", ended) as terminal:
        say(terminal, "second", "Two.")
        terminal.hang_up()
        assert terminal.process.wait() == -signal.SIGHUP
    assert sandbox.sql("SELECT query FROM sessions WHERE source = 'interactive'") == [("second",)]


@pytest.mark.parametrize(
    "step", ["OpenRecord.save:return", "record_words:call", "create:return", "mark_replayed:return", "record:return"]
)
def test_open_survives_a_kill_at_each_step(sandbox: Sandbox, ended: str, step: str) -> None:
    crash_at(sandbox, step)
    sandbox.environment["HLDCTL_TEST_KILL_PROGRAM"] = "hldctl"
    with Terminal(sandbox, "open", ended) as terminal:
        if step != "OpenRecord.save:return":
            say(terminal, "second", "Two.")
            leave(terminal)
        assert terminal.wait_for_exit()[0] == -signal.SIGKILL
    records = children(sandbox, ended)
    assert [words(sandbox, record["id"]) for record in records] == ([["second", "Two."]] if "save" not in step else [])
    assert not sandbox.files(ended).open_record.exists()
    assert sandbox.ok("continue", ended, "third", "--wait") == "Three.\n"


def test_conversation_that_is_open_without_hldctl_is_refused(sandbox: Sandbox, ended: str) -> None:
    with Terminal(sandbox, "--resume", ended, program=(str(claude_binary()),)) as terminal:
        terminal.wait_for_screen("❯")
        for command in (("continue", ended, "More"), ("send", ended, "More"), ("open", ended)):
            with Terminal(sandbox, *command) as other:
                code, output = other.wait_for_exit()
                assert (code, f"pid {terminal.process.pid}" in " ".join(output.split())) == (4, True), command
        # It leaves its file, which names a process that is gone.
        terminal.process.kill()
        terminal.process.wait()
    assert sandbox.ok("continue", ended, "second", "--wait") == "Two.\n"


def test_conversation_begun_in_the_terminal_is_a_session_of_its_own(sandbox: Sandbox, ended: str) -> None:
    with Terminal(sandbox, "open", ended) as terminal:
        say(terminal, "second", "Two.")
        type_line(terminal, "/clear")
        eventually(lambda: "Two." not in "\n".join(terminal.screen()), "an empty screen")
        say(terminal, "third", "Three.")
        leave(terminal)
        assert terminal.wait_for_exit()[0] == 0
    records = children(sandbox, ended)
    assert [words(sandbox, record["id"]) for record in records] == [["second", "Two."], ["third", "Three."]]
    assert len({record["claude_session_id"] for record in records}) == 2


def test_terminal_can_be_suspended(sandbox: Sandbox, ended: str) -> None:
    with Terminal(sandbox, "open", ended, program=JOB_CONTROL) as terminal:
        terminal.wait_for_screen("❯")
        terminal.enter("\x1a")
        terminal.wait_for_output("suspended")
        process = claude_process(sandbox)
        eventually(lambda: process.status() == psutil.STATUS_STOPPED, "Claude Code to stop")
        terminal.enter("fg\n")
        eventually(lambda: process.status() != psutil.STATUS_STOPPED, "Claude Code to run again")
        # It draws its screen again once it has the terminal, and discards what was typed before.
        terminal.wait_for_output("❯")
        say(terminal, "second", "Two.")
        leave(terminal)
        eventually(lambda: is_dead(process), "Claude Code to end")
        eventually(lambda: children(sandbox, ended), "the record")


def test_rehearsed_session_stays_rehearsed_in_the_terminal(sandbox: Sandbox) -> None:
    (sandbox.work / "script").write_text(SCRIPT)
    session_id = sandbox.launch("First", "--rehearse", "script")
    sandbox.wait_for_end(session_id)
    sandbox.environment["ANTHROPIC_API_KEY"] = ""
    prepare(sandbox)
    with Terminal(sandbox, "open", session_id) as terminal:
        say(terminal, "second", "Two.")
        leave(terminal)
        assert terminal.wait_for_exit()[0] == 0
    assert children(sandbox, session_id)[0]["result_content"] == "Two."


@pytest.mark.parametrize("arguments", [(), ("--now",), ("--continue", "More")])
def test_open_needs_a_terminal(sandbox: Sandbox, arguments: tuple[str, ...]) -> None:
    refused = sandbox.run("open", "last", *arguments)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "needs a terminal" in refused.stderr


def test_session_without_its_transcript_cannot_be_opened(sandbox: Sandbox, ended: str) -> None:
    (sandbox.home / ".claude").rename(sandbox.home / "elsewhere")
    with Terminal(sandbox, "open", ended) as terminal:
        code, output = terminal.wait_for_exit()
    assert (code, "CLAUDE_CONFIG_DIR" in output) == (5, True)
