"""Conversations that were begun in Claude Code without hldctl, as sessions."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.helpers.another_user import owned_by_another_user
from tests.helpers.interactive_claude import leave, prepare, say
from tests.helpers.kill_at import crash_at
from tests.helpers.sandbox import Sandbox, claude_binary
from tests.helpers.terminal import Terminal

SCRIPT = 'say One.\ncall Bash {"command": "echo out"}\n\nsay Two.\n\n[second]\nsay Three.\n'


def begin(sandbox: Sandbox) -> str:
    """Have a conversation with Claude Code without hldctl, and return its id."""
    sandbox.serve_script(SCRIPT)
    conversation = str(uuid.uuid4())
    subprocess.run(
        [claude_binary(), "-p", "Hello", "--session-id", conversation, "--allowedTools", "Bash"],
        cwd=sandbox.work,
        env=sandbox.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return conversation


def transcript(sandbox: Sandbox, conversation: str) -> Path:
    (path,) = sandbox.home.glob(f".claude/projects/*/{conversation}.jsonl")
    return path


def test_import_makes_a_conversation_a_session_that_can_be_continued(sandbox: Sandbox) -> None:
    conversation = begin(sandbox)
    assert sandbox.ok("import", conversation[:8]) == f"{conversation}\n"
    session = sandbox.show(conversation)
    assert (session["status"], session["source"], session["query"]) == ("completed", "imported", "Hello")
    assert (session["working_dir"], session["result_content"]) == (str(sandbox.work), "Two.")
    assert (session["model"], session["num_turns"]) == ("opus", 2)
    assert session["cost_usd"] > 0 < session["input_tokens"]
    kinds = [event["event_type"] for event in sandbox.events(conversation)]
    assert kinds == ["message", "message", "tool_call", "tool_result", "message"]
    assert "Two." in sandbox.ok("export", conversation)
    assert sandbox.ok("continue", conversation, "second", "--wait") == "Three.\n"


def test_import_of_a_conversation_in_a_terminal_waits_for_its_end(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    prepare(sandbox)
    with Terminal(sandbox, "--permission-mode", "default", program=(str(claude_binary()),)) as terminal:
        say(terminal, "second", "Three.")
        (file,) = sandbox.home.glob(".claude/projects/*/*.jsonl")
        refused = sandbox.run("import", file.stem)
        assert (refused.returncode, f"pid {terminal.process.pid}" in refused.stderr) == (4, True)
        leave(terminal)
        terminal.wait_for_exit()
    sandbox.ok("import", file.stem)
    assert [event["content"] for event in sandbox.events(file.stem)] == ["second", "Three."]


def test_two_imports_at_once_make_one_session(sandbox: Sandbox) -> None:
    conversation = begin(sandbox)
    commands = [sandbox.popen("import", conversation) for _ in range(3)]
    for command in commands:
        command.communicate()
    codes = sorted(command.returncode for command in commands)
    assert codes == [0, 4, 4]
    assert len(sandbox.events(conversation)) == 5


def test_import_keeps_the_times_of_the_conversation(sandbox: Sandbox) -> None:
    conversation = begin(sandbox)
    sandbox.ok("import", conversation)
    session = sandbox.show(conversation)
    times = [event["created_at"] for event in sandbox.events(conversation)]
    assert (session["created_at"], session["completed_at"]) == (times[0], times[-1])


@pytest.mark.parametrize("is_launched", [False, True], ids=["imported", "launched"])
def test_import_refuses_a_conversation_that_is_a_session(sandbox: Sandbox, is_launched: bool) -> None:
    if is_launched:
        sandbox.serve_script(SCRIPT)
        conversation = sandbox.launch("Hello", "--allowed-tools", "Bash")
        sandbox.wait_for_end(conversation)
    else:
        conversation = begin(sandbox)
        sandbox.ok("import", conversation)
    refused = sandbox.run("import", conversation)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert f"it is session {conversation}" in refused.stderr


def test_import_counts_the_lines_that_it_cannot_read(sandbox: Sandbox) -> None:
    file = transcript(sandbox, begin(sandbox))
    damaged = sandbox.work / "damaged.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    damaged.write_bytes(b"\xff\xfe{\n" + b"".join(lines) + lines[0][:50])
    file.unlink()
    imported = sandbox.run("import", damaged)
    assert imported.returncode == 0
    assert "2 lines of the transcript cannot be read" in imported.stderr
    assert "cannot be continued" in imported.stderr
    assert len(sandbox.events(imported.stdout.strip())) == 5


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b'{"type": "user"}\n', b"Dear diary,\n"])
def test_import_refuses_a_file_without_a_conversation(sandbox: Sandbox, content: bytes) -> None:
    file = sandbox.work / "notes.jsonl"
    file.write_bytes(content)
    refused = sandbox.run("import", file)
    assert (refused.returncode, "is not a transcript" in refused.stderr) == (2, True)
    assert sandbox.ok("ls", "-q") == ""


def test_import_refuses_the_file_of_another_user(sandbox: Sandbox) -> None:
    file = transcript(sandbox, begin(sandbox))
    with owned_by_another_user(file):
        refused = sandbox.run("import", file)
    assert (refused.returncode, "belongs to user" in refused.stderr) == (5, True)


@pytest.mark.parametrize(("reference", "code"), [("12345678", 3), ("12", 3), ("./missing.jsonl", 5), ("./", 2)])
def test_import_of_what_does_not_exist_fails(sandbox: Sandbox, reference: str, code: int) -> None:
    assert sandbox.run("import", reference).returncode == code


def test_import_refuses_an_ambiguous_prefix(sandbox: Sandbox) -> None:
    conversation = begin(sandbox)
    file = transcript(sandbox, conversation)
    shutil.copy(file, file.with_name(f"{conversation[:8]}{uuid.uuid4()!s:.28}.jsonl"))
    refused = sandbox.run("import", conversation[:8])
    assert (refused.returncode, "ambiguous" in refused.stderr) == (3, True)


@pytest.mark.parametrize(
    "step", ["prepare_files:return", "create:return", "Ingester.finish:call", "mark_replayed:call"]
)
def test_import_that_was_killed_is_completed_by_the_next_one(sandbox: Sandbox, step: str) -> None:
    conversation = begin(sandbox)
    crash_at(sandbox, step)
    sandbox.environment["HLDCTL_TEST_KILL_PROGRAM"] = "hldctl"
    assert sandbox.run("import", conversation).returncode == -9
    again = sandbox.run("import", conversation)
    # With all of its journal, the session was complete.
    assert again.returncode == (4 if step == "mark_replayed:call" else 0)
    assert len(sandbox.events(conversation)) == 5
    assert sandbox.show(conversation)["status"] == "completed"


def test_import_finds_the_transcripts_of_another_configuration_directory(sandbox: Sandbox) -> None:
    directory = sandbox.root / "configuration"
    sandbox.environment["CLAUDE_CONFIG_DIR"] = str(directory)
    conversation = begin(sandbox)
    assert sandbox.ok("import", conversation) == f"{conversation}\n"
    assert list(sandbox.home.iterdir()) == []
