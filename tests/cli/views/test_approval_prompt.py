"""Prompts for permission at a terminal: what they show, which answers count, and when they close."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.sandbox import Json, Sandbox, eventually
from tests.helpers.terminal import Terminal

QUESTION = "[q]uit"
TOUCH = 'call Bash {"command": "touch made"}\n\n'
ASKS_LATER = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}\n\n' + TOUCH + "say Done."


def all_requests(sandbox: Sandbox) -> list[Json]:
    requests: list[Json] = json.loads(sandbox.ok("approvals", "--all", "--json"))
    return requests


def launch_waiting(sandbox: Sandbox, script: str, *options: str) -> str:
    """Return the ID of a session that waits for permission."""
    sandbox.serve_script(script)
    session_id = sandbox.launch("Tidy the build", "--approvals", *options)
    eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")
    return session_id


@pytest.mark.parametrize("typed", ["and so on\n", "y\n", "a\n", "y\ny\n"])
def test_input_typed_before_the_prompt_is_ignored(sandbox: Sandbox, typed: str) -> None:
    sandbox.serve_script(ASKS_LATER)
    session_id = sandbox.launch("Hi", "--approvals", "--allowed-tools", "Bash(until *)")
    sandbox.wait_for_journal(session_id, "go-on")
    with Terminal(sandbox, "tail", "-f", session_id) as terminal:
        terminal.wait_for_output("go-on")
        terminal.enter(typed)
        sandbox.release()
        terminal.wait_for_output(QUESTION)
        assert sandbox.show(session_id)["pending_approvals"] == 1
        terminal.enter("YES\n")
        terminal.wait_for_output("Done.")
        assert terminal.wait_for_exit()[0] == 0
    assert [(request["status"], request["tool_input"]["command"]) for request in all_requests(sandbox)] == [
        ("approved", "touch made")
    ]
    assert sandbox.sql("SELECT count(*) FROM approval_rules") == [(0,)]


@pytest.mark.parametrize("typed", ["yep", "yes please", "all", "ya", "approve", ""])
def test_only_a_complete_answer_counts(sandbox: Sandbox, typed: str) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, "approve") as terminal:
        terminal.wait_for_output(QUESTION)
        terminal.enter(f"{typed}\n")
        terminal.wait_for_output("is not an answer")
        assert sandbox.show(session_id)["pending_approvals"] == 1
        terminal.enter("skip\n")
        assert terminal.wait_for_exit()[0] == 0
    assert all_requests(sandbox)[0]["status"] == "pending"


@pytest.mark.parametrize("command", [["approve"], ["tail", "-f", "last"]], ids=["approve", "tail"])
def test_prompt_closes_if_request_is_answered_elsewhere(sandbox: Sandbox, command: list[str]) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, *command) as terminal:
        terminal.wait_for_output(QUESTION)
        sandbox.ok("approve", all_requests(sandbox)[0]["id"])
        terminal.wait_for_output("elsewhere")
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"


def test_prompt_closes_when_the_session_ends(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, "tail", "-f", session_id) as terminal:
        terminal.wait_for_output(QUESTION)
        sandbox.ok("interrupt", session_id)
        assert terminal.wait_for_exit()[0] == 0
    assert all_requests(sandbox)[0]["status"] == "expired"


def test_prompt_does_not_block_other_followed_sessions(sandbox: Sandbox) -> None:
    sandbox.serve_script(f"[asks]\n{TOUCH}say Made.\n\n[works]\n{ASKS_LATER.replace(TOUCH, '')}")
    asks = sandbox.launch("asks", "--approvals")
    eventually(lambda: sandbox.show(asks)["pending_approvals"], "the request")
    works = sandbox.launch("works", "--allowed-tools", "Bash", "--no-approvals")
    sandbox.wait_for_journal(works, "go-on")
    with Terminal(sandbox, "tail", "-f", asks, works, columns=120) as terminal:
        terminal.wait_for_output(QUESTION)
        sandbox.release()
        terminal.wait_for_output("Done.")
        assert sandbox.show(asks)["pending_approvals"] == 1
        terminal.enter("y\n")
        terminal.wait_for_output("Made.")
        assert terminal.wait_for_exit()[0] == 0


def test_ctrl_c_at_prompt_ends_on_a_new_line(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, "approve") as terminal:
        before = terminal.modes()
        terminal.wait_for_output(QUESTION)
        terminal.enter("\x03")
        assert terminal.wait_for_exit()[0] in (130, -2)
        terminal.screen()
        assert terminal.display.cursor.x == 0
        assert terminal.modes() == before
    assert sandbox.show(session_id)["pending_approvals"] == 1


LONG = (
    "mkdir -p build/output/release && cp -r src/generated build/output/release/ && touch build/done && rm -rf the-end"
)


def test_request_is_shown_in_full_with_session_and_directory(sandbox: Sandbox) -> None:
    launch_waiting(sandbox, f"call Bash {json.dumps({'command': LONG})}\n\nsay Done.", "--title", "Release")
    (request,) = all_requests(sandbox)
    # Nothing is truncated in a pipe, nor if the request is given by its ID.
    assert LONG in sandbox.ok("approvals")
    text = sandbox.ok("approvals", request["id"][:6])
    assert f"$ {LONG}" in text
    assert "Release" in text
    assert str(sandbox.work) in text
    assert json.loads(sandbox.ok("approvals", request["id"], "--json"))[0]["tool_input"]["command"] == LONG
    with Terminal(sandbox, "approve", columns=60) as terminal:
        output = "".join(terminal.wait_for_output(QUESTION).split("\n"))
        assert "rm -rf the-end" in output
        assert "Release" in output
        terminal.enter("q\n")
        assert terminal.wait_for_exit()[0] == 0


def test_approve_prints_the_approved_call(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, f"call Bash {json.dumps({'command': LONG})}\n\nsay Done.")
    (request,) = all_requests(sandbox)
    done = sandbox.run("approve", "--session", session_id)
    assert (done.returncode, done.stdout) == (0, f"{request['id']}\n")
    assert LONG in done.stderr


def test_approve_session_needs_exactly_one_request(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.ok("launch", "Hi", "--approvals", "--wait", "-q") and sandbox.show("last")["id"]
    done = sandbox.run("approve", "--session", session_id)
    assert (done.returncode, done.stdout) == (4, "")
    assert "has no pending permission request" in done.stderr


def test_always_shows_its_rule_before_and_after(sandbox: Sandbox) -> None:
    launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, "approve", columns=120) as terminal:
        assert "[a]lways: " in terminal.wait_for_output(QUESTION)
        terminal.enter("always\n")
        terminal.wait_for_output("always allowed from now on: ")
        assert terminal.wait_for_exit()[0] == 0
    ((kind,),) = sandbox.sql("SELECT kind FROM approval_rules")
    assert kind == "exact"


HIDDEN = "echo a\u200bb \u202ec \U000e0041d   spaces; touch made"


@pytest.mark.parametrize(
    "command", [["approvals"], ["approve"], ["tail", "-f", "last"]], ids=lambda command: command[0]
)
def test_invisible_characters_in_a_request_are_escaped(sandbox: Sandbox, command: list[str]) -> None:
    launch_waiting(sandbox, f"call Bash {json.dumps({'command': HIDDEN})}\n\nsay Done.")
    if command == ["approvals"]:
        output = sandbox.ok(*command)
    else:
        with Terminal(sandbox, *command, columns=200) as terminal:
            output = terminal.wait_for_output(QUESTION)
            terminal.enter("q\n")
    assert "d   spaces" in output
    assert not {"\u200b", "\u202e", "\U000e0041"} & set(output)
    assert "200b" in output.lower()
    assert "e0041" in output.lower()


def test_approve_without_terminal_does_not_prompt(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    done = subprocess.run(
        [sys.executable, "-m", "hldctl", "approve"],
        cwd=sandbox.work,
        env=sandbox.environment,
        input="y\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, sandbox.show(session_id)["pending_approvals"]) == (2, 1)


def long_call(lines: int = 60) -> str:
    """Return a call that is longer than the screen of a test."""
    command = "touch made\n" + "".join(f"echo {number}\n" for number in range(lines)) + "touch the-end"
    return f"call Bash {json.dumps({'command': command})}\n\n"


@pytest.mark.parametrize("command", [["approve"], ["tail", "-f", "last"]], ids=["approve", "tail"])
def test_long_call_is_allowed_only_after_its_end_was_shown(sandbox: Sandbox, command: list[str]) -> None:
    session_id = launch_waiting(sandbox, f"{long_call()}say Done.")
    with Terminal(sandbox, *command, columns=70, lines=20) as terminal:
        assert not any("the-end" in line for line in terminal.wait_for_screen("more rows"))
        terminal.enter("y\n")
        terminal.wait_for_screen("The end of the call was not shown yet")
        assert sandbox.show(session_id)["pending_approvals"] == 1
        terminal.enter(" ")
        eventually(lambda: "$ touch made" not in terminal.screen(), "the next page")
        terminal.enter("\x1b[F")
        terminal.wait_for_screen("> touch the-end")
        terminal.enter("y\n")
        # The terminal keeps an excerpt of what was answered.
        terminal.wait_for_output("more lines; `hldctl approvals")
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.wait_for_end(session_id)["result_content"] == "Done."
    assert (sandbox.work / "the-end").exists()


def test_long_call_does_not_hold_up_other_followed_sessions(sandbox: Sandbox) -> None:
    sandbox.serve_script(f"[asks]\n{long_call()}say Made.\n\n[works]\n{ASKS_LATER.replace(TOUCH, '')}")
    asks = sandbox.launch("asks", "--approvals")
    eventually(lambda: sandbox.show(asks)["pending_approvals"], "the request")
    works = sandbox.launch("works", "--allowed-tools", "Bash", "--no-approvals")
    sandbox.wait_for_journal(works, "go-on")
    with Terminal(sandbox, "tail", "-f", asks, works, columns=120) as terminal:
        terminal.wait_for_screen("more rows")
        sandbox.release()
        screen = terminal.wait_for_screen("Done.")
        assert any("more rows" in line for line in screen)
        assert any(QUESTION in line for line in screen)
        terminal.enter("q\n")


def test_question_mark_explains_the_answers(sandbox: Sandbox) -> None:
    launch_waiting(sandbox, f"{TOUCH}say Done.")
    for kind, term in (("rich", "xterm-256color"), ("plain", "dumb")):
        with Terminal(sandbox, "approve", columns=100, environment={"TERM": term}) as terminal:
            assert "[?]" in terminal.wait_for_output("[?]"), kind
            terminal.enter("?\n")
            screen = "\n".join(terminal.wait_for_screen("stops asking"))
            for answer in ("y or yes", "n or no", "e or edit", "a or always", "s or skip", "q or quit"):
                assert f"\n{answer} " in screen, kind
            terminal.enter("q\n")
            assert terminal.wait_for_exit()[0] == 0


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_ctrl_c_while_typing_a_message_ends_on_a_new_line(sandbox: Sandbox, term: str) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, "approve", environment={"TERM": term}) as terminal:
        before = terminal.modes()
        terminal.wait_for_output(QUESTION)
        terminal.enter("n\n")
        terminal.wait_for_output("Message to the model")
        terminal.enter("Rather n")
        terminal.wait_for_screen("Rather n")
        terminal.enter("\x03")
        assert terminal.wait_for_exit()[0] in (130, -2)
        terminal.screen()
        assert terminal.display.cursor.x == 0
        assert terminal.modes() == before
    assert sandbox.show(session_id)["pending_approvals"] == 1


def test_skip_asks_about_the_next_request(sandbox: Sandbox) -> None:
    sandbox.serve_script('[one]\ncall Bash {"command": "touch one"}\n\n[two]\ncall Bash {"command": "touch two"}\n')
    for query in ("one", "two"):
        session_id = sandbox.launch(query, "--approvals")
        eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")  # noqa: B023
    with Terminal(sandbox, "approve") as terminal:
        terminal.wait_for_output("$ touch one")
        terminal.wait_for_output(QUESTION)
        terminal.enter("s\n")
        terminal.wait_for_output(f"skipped; `hldctl approve {all_requests(sandbox)[0]['id'][:8]}`")
        terminal.wait_for_output("$ touch two")
        terminal.wait_for_output(QUESTION)
        terminal.enter("y\n")
        assert terminal.wait_for_exit()[0] == 0
    assert [request["status"] for request in all_requests(sandbox)] == ["pending", "approved"]


@pytest.mark.parametrize("command", [["approve"], ["tail", "-f", "last"], ["top"]], ids=["approve", "tail", "top"])
def test_prompt_closes_when_the_request_expires(sandbox: Sandbox, command: list[str]) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    ((hook_pid,),) = sandbox.sql("SELECT hook_pid FROM approvals")
    with Terminal(sandbox, *command, columns=120) as terminal:
        if command == ["top"]:
            terminal.wait_for_screen("q quit")
            terminal.enter("a")
            terminal.wait_for_screen("approve? y/n")
        else:
            terminal.wait_for_output(QUESTION)
        os.kill(hook_pid, signal.SIGKILL)
        killed_at = time.monotonic()
        terminal.wait_for_output("expired")
        # Less than the five seconds after which supervisors look by themselves.
        assert time.monotonic() - killed_at < 4
    sandbox.run("interrupt", session_id)


def test_write_is_shown_as_diff_against_the_file(sandbox: Sandbox) -> None:
    made = sandbox.work / "made"
    made.write_text("same\nold line\n")
    write = json.dumps({"file_path": str(made), "content": "same\nnew line\n"})
    read = json.dumps({"file_path": str(made)})
    launch_waiting(sandbox, f"call Read {read}\n\ncall Write {write}\n\nsay Done.")
    (request,) = all_requests(sandbox)
    assert "\n same\n-old line\n+new line\n" in sandbox.ok("approvals", request["id"])
    with Terminal(sandbox, "approve") as terminal:
        screen = terminal.wait_for_screen(QUESTION)
        assert [line for line in screen if line in (" same", "-old line", "+new line")] == [
            " same",
            "-old line",
            "+new line",
        ]
        terminal.enter("y\n")
        assert terminal.wait_for_exit()[0] == 0
    sandbox.wait_for_end(request["session_id"])
    # An answered call is shown by itself: the file has changed.
    assert "\n+same\n+new line\n" in sandbox.ok("approvals", request["id"])


@pytest.mark.parametrize("kind", ["pipe", "directory", "binary", "long", "missing"])
def test_write_is_shown_whole_if_the_file_is_not_text(sandbox: Sandbox, kind: str) -> None:
    path = sandbox.root / "file"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "binary":
            path.write_bytes(b"\xff\x00\n")
        case "long":
            path.write_text("line\n" * 100_000)
    launch_waiting(sandbox, f"{TOUCH}say Done.")
    write = json.dumps({"file_path": str(path), "content": "one\n"})
    sandbox.sql("UPDATE approvals SET tool_name = 'Write', tool_input = ?", write)
    assert f"{path}\n+one\npending" in sandbox.ok("approvals", all_requests(sandbox)[0]["id"])
