"""A damaged, truncated or size-limited journal: everything that can be read is recorded."""

from __future__ import annotations

import pytest

from tests.faults.outcome import assert_fully_recorded, assert_no_process_is_left, supervisor_process
from tests.helpers.sandbox import GATED_SCRIPT, Json, Sandbox, claude_binary, eventually


@pytest.fixture
def session_id(sandbox: Sandbox) -> str:
    """Return the id of a session whose tool runs and whose output so far is recorded."""
    sandbox.serve_script(GATED_SCRIPT)
    launched = sandbox.launch("Hello", "--allowed-tools", "Bash")
    eventually(lambda: "go-on" in sandbox.ok("tail", launched), "the tool call to be recorded")
    return launched


def go_on(sandbox: Sandbox, session_id: str) -> None:
    sandbox.release()
    sandbox.ok("wait", session_id)
    session = sandbox.show(session_id)
    assert (session["end_reason"], session["result_content"]) == ("success", "Two.")
    assert_no_process_is_left(sandbox)


def test_overwriting_recorded_bytes_changes_nothing(sandbox: Sandbox, session_id: str) -> None:
    journal = sandbox.files(session_id).journal
    whole = journal.read_bytes()
    before = _contents(sandbox, session_id)
    with journal.open("r+b") as file:
        file.seek(100)
        file.write(b"\0\xff\n" * 100)
    go_on(sandbox, session_id)
    assert _contents(sandbox, session_id)[: len(before)] == before
    with journal.open("r+b") as file:
        file.write(whole)
    assert_fully_recorded(sandbox, session_id)


def test_unreadable_bytes_are_noted_and_the_rest_is_recorded(sandbox: Sandbox, session_id: str) -> None:
    with sandbox.files(session_id).journal.open("ab") as file:
        file.write(b"\0\xff{[" * 1000 + b"\n" + b"\0" * 4096 + b"\n")
    go_on(sandbox, session_id)
    assert [event["content"] for event in sandbox.events(session_id) if "cannot be read" in (event["content"] or "")]
    assert_fully_recorded(sandbox, session_id)


@pytest.mark.parametrize("size", [0, 700])
def test_truncated_journal_is_read_from_its_new_end(sandbox: Sandbox, session_id: str, size: int) -> None:
    before = sandbox.events(session_id)
    journal = sandbox.files(session_id).journal
    with journal.open("r+b") as file:
        file.truncate(size)
    go_on(sandbox, session_id)
    after = sandbox.events(session_id)
    assert [event["sequence"] for event in after] == list(range(1, len(after) + 1))
    assert [event["content"] for event in after][: len(before)] == [event["content"] for event in before]
    assert sandbox.sql("SELECT journal_offset FROM sessions") == [(journal.stat().st_size,)]


def test_journal_at_its_size_limit_ends_claude_code_and_is_recorded(sandbox: Sandbox) -> None:
    """Claude Code's remaining output is lost, as it would be in a shell."""
    sandbox.serve_script(f"say One.\n\nsay {'word ' * 20_000}")
    wrapper = sandbox.root / "claude-limited"
    wrapper.write_text(f'#!/bin/sh\ntrap "" XFSZ\nulimit -f 8\nexec {claude_binary()} "$@"\n')
    wrapper.chmod(0o755)
    sandbox.environment["HLDCTL_CLAUDE"] = str(wrapper)
    session_id = sandbox.launch("Hello")
    assert sandbox.run("wait", session_id).returncode == 1
    assert_fully_recorded(sandbox, session_id)


def test_deleted_journal_ends_the_session_and_keeps_its_events(sandbox: Sandbox, session_id: str) -> None:
    before = sandbox.events(session_id)
    sandbox.files(session_id).journal.unlink()
    sandbox.release()
    sandbox.run("wait", session_id)
    assert_no_process_is_left(sandbox)
    assert sandbox.show(session_id)["completed_at"] is not None
    assert len(sandbox.events(session_id)) >= len(before)


def test_session_adopted_with_a_shorter_journal_continues(sandbox: Sandbox, session_id: str) -> None:
    supervisor_process(sandbox, session_id).kill()
    with sandbox.files(session_id).journal.open("r+b") as file:
        file.truncate(0)
    sandbox.ok("show", session_id)
    go_on(sandbox, session_id)


def _contents(sandbox: Sandbox, session_id: str) -> list[Json]:
    """Return the events without what changes when a tool call is completed."""
    return [{**event, "is_completed": None} for event in sandbox.events(session_id)]
