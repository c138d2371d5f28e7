"""`hldctl approve` and other prompts at a terminal."""

from __future__ import annotations

import json

import pytest

from tests.helpers.sandbox import Json, Sandbox, eventually
from tests.helpers.terminal import Terminal

QUESTION = "[q]uit"


def all_requests(sandbox: Sandbox) -> list[Json]:
    requests: list[Json] = json.loads(sandbox.ok("approvals", "--all", "--json"))
    return requests


def launch_waiting(sandbox: Sandbox, script: str) -> str:
    """Return the ID of a session that waits for permission."""
    sandbox.serve_script(script)
    session_id = sandbox.launch("Hi", "--approvals")
    eventually(lambda: all_requests(sandbox), "the request")
    return session_id


TOUCH = 'call Bash {"command": "touch made"}\n\n'
EDIT = 'call Write {"file_path": "made", "content": "one\\ntwo\\n"}\n\n'


@pytest.mark.parametrize(("key", "status", "made"), [("y", "approved", True), ("n", "denied", False)])
def test_key_answers_the_request(sandbox: Sandbox, key: str, status: str, made: bool) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, "approve") as terminal:
        assert "$ touch made" in terminal.wait_for_output(QUESTION)
        terminal.enter(f"{key}\n")
        if key == "n":
            terminal.wait_for_output("Message to the model")
            terminal.enter("Rather not.\n")
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    (request,) = all_requests(sandbox)
    assert (request["status"], (sandbox.work / "made").exists()) == (status, made)
    assert request["comment"] == (None if made else "Rather not.")


def test_edit_is_shown_as_diff_and_always_allows_the_next(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, EDIT + EDIT.replace("made", "other") + "say Done.")
    with Terminal(sandbox, "approve") as terminal:
        output = terminal.wait_for_output(QUESTION)
        assert "\x1b[32m+one" in output
        assert "+two" in output
        terminal.enter("a\n")
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert [request["status"] for request in all_requests(sandbox)] == ["approved"] * 2


def test_editor_changes_the_input(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    editor = sandbox.root / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/made/changed/ "$1"\n')
    editor.chmod(0o755)
    sandbox.environment["EDITOR"] = str(editor)
    with Terminal(sandbox, "approve") as terminal:
        terminal.wait_for_output(QUESTION)
        terminal.enter("e\n")
        # The changed call is shown and confirmed before it runs.
        assert "$ touch changed" in terminal.wait_for_output("Run it with these changes?")
        terminal.wait_for_output(QUESTION)
        terminal.enter("y\n")
        assert terminal.wait_for_exit()[0] == 0
    sandbox.wait_for_end(session_id)
    assert (sandbox.work / "changed").exists()
    assert not (sandbox.work / "made").exists()


def test_quit_answers_nothing(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say Done.")
    with Terminal(sandbox, "approve") as terminal:
        terminal.wait_for_output(QUESTION)
        terminal.enter("x\n")
        terminal.wait_for_output("is not an answer")
        terminal.enter("q\n")
        assert terminal.wait_for_exit()[0] == 0
    assert all_requests(sandbox)[0]["status"] == "pending"
    sandbox.ok("interrupt", session_id)


def test_follower_at_terminal_prompts_in_place(sandbox: Sandbox) -> None:
    session_id = launch_waiting(sandbox, f"{TOUCH}say All done.")
    with Terminal(sandbox, "tail", "-f", session_id) as terminal:
        terminal.wait_for_output(QUESTION)
        terminal.enter("y\n")
        terminal.wait_for_output("approved")
        terminal.wait_for_output("All done.")
        assert terminal.wait_for_exit()[0] == 0
    assert (sandbox.work / "made").exists()


def test_launch_at_terminal_uses_approvals_by_default(sandbox: Sandbox) -> None:
    sandbox.serve_script(f"{TOUCH}say Done.")
    for options, has_hook in (([], True), (["--no-approvals"], False)):
        with Terminal(sandbox, "launch", "Hi", *options) as terminal:
            assert terminal.wait_for_exit()[0] == 0
        session_id = sandbox.show("last")["id"]
        assert sandbox.files(session_id).settings_with_hook.exists() == has_hook
        sandbox.run("interrupt", session_id)
