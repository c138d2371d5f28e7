"""Errors: each prints a message, has the documented exit code, no traceback and no leftovers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.sandbox import Completed, Sandbox

MISSING = "00000000-0000-4000-8000-000000000000"


def assert_error(done: Completed, exit_code: int, *messages: str) -> None:
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    for message in messages:
        assert message in done.stderr


@pytest.mark.parametrize(
    "command", [["show"], ["tail"], ["wait"], ["interrupt"], ["continue"]], ids=lambda command: command[0]
)
@pytest.mark.parametrize("ref", [MISSING, "last", "abcd", "abc", "no such name"])
def test_unknown_session_is_an_error(sandbox: Sandbox, command: list[str], ref: str) -> None:
    query = ["Go on"] if command == ["continue"] else []
    assert_error(sandbox.run(*command, ref, *query), 3, "No session")


def test_ambiguous_prefix_lists_the_candidates(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    ids = [sandbox.launch("Hi") for _ in range(2)]
    for session_id in ids:
        sandbox.run("wait", session_id)
    for number, session_id in enumerate(ids):
        sandbox.sql("UPDATE sessions SET id = ? WHERE id = ?", f"feedbeef-{number}", session_id)
    assert_error(sandbox.run("show", "feed"), 3, "ambiguous", "feedbeef-0", "feedbeef-1")
    assert sandbox.run("show", "feedbeef-1").returncode == 0


def test_session_is_found_by_prefix_and_last(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    session_id = sandbox.ok("ls", "-q").strip()
    for ref in (session_id, session_id[:4], session_id[:8].upper(), "last"):
        assert sandbox.show(ref)["id"] == session_id


def test_interrupt_of_ended_session_is_an_error(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    session_id = sandbox.ok("ls", "-q").strip()
    assert_error(sandbox.run("interrupt", session_id), 4, session_id, "already ended")
    assert sandbox.show(session_id)["status"] == "failed"


def test_interrupt_needs_sessions_or_all(sandbox: Sandbox) -> None:
    assert_error(sandbox.run("interrupt"), 2, "--all")
    assert_error(sandbox.run("interrupt", MISSING, "--all"), 2, "--all")
    assert sandbox.ok("interrupt", "--all") == ""


def test_session_without_conversation_cannot_be_continued(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    session_id = sandbox.ok("ls", "-q").strip()
    assert_error(sandbox.run("continue", session_id, "Go on"), 4, session_id, "nothing to continue")


@pytest.mark.parametrize("command", [["ls"], ["launch", "Hi"], ["show", MISSING]], ids=lambda command: command[0])
class TestStateDirectory:
    def test_path_is_a_file(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.state.root.write_text("in the way")
        assert_error(sandbox.run(*command), 5, str(sandbox.state.root), "HLDCTL_HOME")

    def test_parent_is_a_file(self, sandbox: Sandbox, command: list[str]) -> None:
        (sandbox.root / "file").touch()
        done = sandbox.run(*command, environment={"HLDCTL_HOME": str(sandbox.root / "file" / "state")})
        assert_error(done, 5, "HLDCTL_HOME")

    def test_file_system_is_full_or_read_only(self, sandbox: Sandbox, command: list[str]) -> None:
        # Nobody can create a directory in /proc, not even root.
        done = sandbox.run(*command, environment={"HLDCTL_HOME": "/proc/hldctl"})
        assert_error(done, 5, "/proc/hldctl", "HLDCTL_HOME")

    def test_database_is_not_a_database(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.state.root.mkdir()
        sandbox.state.database.write_bytes(b"not a database" * 100)
        assert_error(sandbox.run(*command), 5, str(sandbox.state.database), "not a database")
        assert_no_session_files(sandbox)

    def test_database_is_from_a_newer_version(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.ok("ls")
        sandbox.sql("PRAGMA user_version = 999")
        assert_error(sandbox.run(*command), 5, "newer hldctl", "999")
        assert_no_session_files(sandbox)

    def test_database_is_a_directory(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.state.database.mkdir(parents=True)
        assert_error(sandbox.run(*command), 5, str(sandbox.state.database))


def assert_no_session_files(sandbox: Sandbox) -> None:
    assert not list(Path(sandbox.state.root).glob("sessions/*"))


def test_launch_on_a_full_disk_leaves_nothing(sandbox: Sandbox) -> None:
    (sandbox.work / "query").write_text("long " * 16_000_000)
    sandbox.ok("ls")
    # A limit on the file size replaces a full disk: it fails in the same place and needs no root. It is in units of
    # 512 bytes, and has room for a database.
    limited = f"ulimit -f 140000; exec {sys.executable} -m hldctl launch --query-file query"
    done = subprocess.run(
        ["sh", "-c", limited], cwd=sandbox.work, env=sandbox.environment, capture_output=True, text=True, check=False
    )
    assert_error(done, 5, str(sandbox.state.root), "File too large")
    assert_no_session_files(sandbox)


def test_help_and_version_need_no_state(sandbox: Sandbox) -> None:
    for arguments in (["--help"], ["--version"], ["launch", "--help"], ["ls", "-h"]):
        assert sandbox.run(*arguments, environment={"HLDCTL_HOME": "/proc/none"}).returncode == 0


def test_windows_is_rejected_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hldctl.cli import app

    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(SystemExit) as exited:
        app.main(["ls"])
    assert exited.value.code == 5
    assert "Windows" in capsys.readouterr().err


INVALID_UTF8 = "\udcff"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["launch", "Hi", "-C", "~nosuchuser/x"], 2, "~nosuchuser"),
        (["launch", "Hi", "--add-dir", "~nosuchuser/x"], 2, "~nosuchuser"),
        (["launch", "Hi", "-C", "x" * 5000], 2, "xxx"),
        (["launch", "--query-file", "~nosuchuser/x"], 2, "--query-file"),
        (["launch", "Hi", "--mcp-config", "~nosuchuser/x"], 2, "--mcp-config"),
        (["launch", "Hi", "--mcp-config", ""], 2, "--mcp-config"),
        (["launch", "Hi", "--settings", ""], 2, "--settings"),
        (["launch", "Hi", "--max-turns", "9" * 20], 2, "--max-turns"),
        (["launch", "Hi", "--max-budget-usd", "inf"], 2, "inf"),
        (["launch", "Hi", "--max-budget-usd", "-1"], 2, "-1"),
        (["launch", "Hi", "-C", f"d{INVALID_UTF8}"], 2, "does not exist"),
        (["ls", "--since", "999999999999d"], 2, "century"),
        (["ls", "--format", "{id[x]}"], 2, "--format"),
        (["ls", "--format", "{"], 2, "--format"),
        (["tail", "last", "--after", "9" * 20], 2, "--after"),
        (["interrupt", "last", "--timeout", "9" * 21], 2, "century"),
        (["interrupt", "last", "--timeout", "soon"], 2, "soon"),
        (["show", INVALID_UTF8 * 4], 3, "No session"),
        (["continue", "last", "Go on", "--", "--resume", "x"], 2, "--resume"),
    ],
    ids=lambda value: " ".join(value)[:40].encode("ascii", "replace").decode() if isinstance(value, list) else None,
)
def test_invalid_arguments_are_rejected_with_a_message(
    sandbox: Sandbox, arguments: list[str], exit_code: int, message: str
) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    assert_error(sandbox.run(*arguments), exit_code, message)


def test_invalid_utf8_is_replaced(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", f"Caf{INVALID_UTF8}", "--title", f"T{INVALID_UTF8}", "--wait")
    session = sandbox.show("last")
    assert (session["query"], session["title"]) == ("Caf\ufffd", "T\ufffd")
    assert sandbox.run("ls", "--search", INVALID_UTF8).returncode == 0


def test_deleted_working_directory_is_an_error(sandbox: Sandbox) -> None:
    script = f"mkdir gone; cd gone; rmdir ../gone; exec {sys.executable} -m hldctl launch Hi"
    done = subprocess.run(
        ["sh", "-c", script], cwd=sandbox.work, env=sandbox.environment, capture_output=True, text=True, check=False
    )
    assert_error(done, 2, "the current directory is gone")


def test_unsearchable_path_entry_is_skipped(sandbox: Sandbox) -> None:
    (sandbox.root / "closed").mkdir(mode=0)
    done = sandbox.run("ls", environment={"PATH": f"{sandbox.root}/closed:/usr/bin"})
    assert done.returncode == 0


def test_damaged_database_is_an_error(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.state.database.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xa5" * 60_000)
    assert_error(sandbox.run("ls"), 5, str(sandbox.state.database))


def test_closed_standard_output_keeps_the_exit_code(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    shell = f"{sys.executable} -m hldctl"
    for command, exit_code in ((f"{shell} show nope >&-", 3), (f"{shell} ls >&-", 0)):
        done = subprocess.run(
            ["sh", "-c", command],
            env=sandbox.environment,
            cwd=sandbox.work,
            capture_output=True,
            text=True,
            check=False,
        )
        assert_error(done, exit_code)


@pytest.mark.parametrize("command", ["ls", "ls -q", "ls --json", "show last", "tail last", "--help", "ls --help"])
def test_full_standard_output_is_an_error(sandbox: Sandbox, command: str) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    with open("/dev/full", "w") as full, sandbox.popen(*command.split(), stdout=full) as process:
        _, errors = process.communicate(timeout=60)
    assert_error(Completed(process.args, process.returncode, "", errors), 5, "Cannot write output: No space left")


def test_output_outside_the_locale_is_escaped(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Caf\u00e9 \u4e16", "--wait")
    done = sandbox.run("tail", "last", environment={"PYTHONIOENCODING": "ascii"})
    assert done.stdout == "user: Caf\\xe9 \\u4e16\n"


CONTROL = "x\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\nhldctl: all is well"
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["launch", "Hi", "-C", CONTROL], 2),
        (["launch", "Hi", "--add-dir", CONTROL], 2),
        (["launch", "Hi", "--group", CONTROL], 2),
        (["launch", "Hi", "--rehearse", CONTROL], 2),
        (["launch", "Hi", "--mcp-config", CONTROL], 2),
        (["launch", "Hi", "--settings", CONTROL], 2),
        (["launch", "Hi", "--name", CONTROL], 2),
        (["launch", "Hi", "--env", CONTROL], 2),
        (["launch", "Hi", "--max-turns", CONTROL], 2),
        (["launch", "--query-file", CONTROL], 2),
        (["launch", "Hi", "--timeout", CONTROL], 2),
        (["export", "last", "-o", f"no/{CONTROL}"], 2),
        (["export", "last", "--format", CONTROL], 2),
        (["show", CONTROL], 3),
        (["approve", CONTROL], 3),
        (["ls", "--format", CONTROL + "{"], 2),
        (["ls", "--status", CONTROL], 2),
        (["ls", "--since", CONTROL], 2),
        (["ls", f"--{CONTROL}"], 2),
        (["ls", CONTROL], 2),
        (["config", "get", CONTROL], 2),
        (["config", "set", "model", CONTROL, CONTROL], 2),
        ([CONTROL], 2),
    ],
    ids=lambda value: " ".join(value[:-1]) or "command" if isinstance(value, list) else None,
)
def test_control_characters_in_arguments_are_escaped(sandbox: Sandbox, arguments: list[str], exit_code: int) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    done = sandbox.run(*arguments)
    assert_error(done, exit_code)
    assert not CONTROL_CHARACTERS.search(done.stderr + done.stdout), done.stderr
    if exit_code == 2 and "Usage:" not in done.stderr:
        assert done.stderr.count("\n") == 1, done.stderr


def test_control_characters_in_paths_are_escaped(sandbox: Sandbox) -> None:
    directory = sandbox.work / "\x1b[31mred"
    directory.mkdir()
    (directory / "settings.json").mkdir()
    done = sandbox.run("launch", "Hi", "--settings", directory / "settings.json", cwd=directory)
    assert_error(done, 2, r"\x1b[31mred")
    assert not CONTROL_CHARACTERS.search(done.stderr)
