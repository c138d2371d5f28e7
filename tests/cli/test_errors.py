"""What goes wrong around sessions: a sentence, the contract's exit code, no traceback, nothing half-made."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox import Completed, Sandbox

MISSING = "00000000-0000-4000-8000-000000000000"


def assert_sentence(done: Completed, exit_code: int, *words: str) -> None:
    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    "command", [["show"], ["tail"], ["wait"], ["interrupt"], ["continue"]], ids=lambda command: command[0]
)
@pytest.mark.parametrize("words", [MISSING, "last", "abcd", "abc", "no such name"])
def test_an_unknown_session(sandbox: Sandbox, command: list[str], words: str) -> None:
    query = ["Go on"] if command == ["continue"] else []
    assert_sentence(sandbox.run(*command, words, *query), 3, "There is no session")


def test_an_ambiguous_prefix_names_the_candidates(sandbox: Sandbox) -> None:
    sandbox.claude("")
    ids = [sandbox.launch("Hi") for _ in range(2)]
    for session_id in ids:
        sandbox.run("wait", session_id)
    with sqlite3.connect(sandbox.state.database) as database:
        database.execute("PRAGMA foreign_keys = 0")
        for number, session_id in enumerate(ids):
            database.execute("UPDATE sessions SET id = ? WHERE id = ?", (f"feedbeef-{number}", session_id))
    assert_sentence(sandbox.run("show", "feed"), 3, "ambiguous", "feedbeef-0", "feedbeef-1")
    assert sandbox.run("show", "feedbeef-1").returncode == 0


def test_a_prefix_and_last_find_a_session(sandbox: Sandbox) -> None:
    sandbox.claude("")
    sandbox.run("launch", "Hi", "--wait")
    session_id = sandbox.ok("ls", "-q").strip()
    for words in (session_id, session_id[:4], session_id[:8].upper(), "last"):
        assert sandbox.show(words)["id"] == session_id


def test_interrupting_an_ended_session(sandbox: Sandbox) -> None:
    sandbox.claude("")
    sandbox.run("launch", "Hi", "--wait")
    session_id = sandbox.ok("ls", "-q").strip()
    assert_sentence(sandbox.run("interrupt", session_id), 4, session_id, "already ended")
    assert sandbox.show(session_id)["status"] == "failed"


def test_interrupt_wants_sessions_or_all(sandbox: Sandbox) -> None:
    assert_sentence(sandbox.run("interrupt"), 2, "--all")
    assert_sentence(sandbox.run("interrupt", MISSING, "--all"), 2, "--all")
    assert sandbox.ok("interrupt", "--all") == ""


def test_continuing_what_never_began_a_conversation(sandbox: Sandbox) -> None:
    sandbox.claude("")
    sandbox.run("launch", "Hi", "--wait")
    session_id = sandbox.ok("ls", "-q").strip()
    assert_sentence(sandbox.run("continue", session_id, "Go on"), 4, session_id, "nothing to continue")


@pytest.mark.parametrize("command", [["ls"], ["launch", "Hi"], ["show", MISSING]], ids=lambda command: command[0])
class TestStateDirectory:
    def test_that_is_a_file(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.state.root.write_text("in the way")
        assert_sentence(sandbox.run(*command), 5, str(sandbox.state.root), "HLDCTL_HOME")

    def test_below_a_file(self, sandbox: Sandbox, command: list[str]) -> None:
        (sandbox.root / "file").touch()
        done = sandbox.run(*command, environment={"HLDCTL_HOME": str(sandbox.root / "file" / "state")})
        assert_sentence(done, 5, "HLDCTL_HOME")

    def test_on_a_full_or_read_only_file_system(self, sandbox: Sandbox, command: list[str]) -> None:
        # /proc takes no new directories, from root either.
        done = sandbox.run(*command, environment={"HLDCTL_HOME": "/proc/hldctl"})
        assert_sentence(done, 5, "/proc/hldctl", "HLDCTL_HOME")

    def test_with_a_database_that_is_none(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.state.root.mkdir()
        sandbox.state.database.write_bytes(b"this is no database" * 100)
        assert_sentence(sandbox.run(*command), 5, str(sandbox.state.database), "not a database")
        assert_no_session_is_left(sandbox)

    def test_with_a_database_of_a_newer_program(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.ok("ls")
        with sqlite3.connect(sandbox.state.database) as database:
            database.execute("PRAGMA user_version = 999")
        assert_sentence(sandbox.run(*command), 5, "newer hldctl", "999")
        assert_no_session_is_left(sandbox)

    def test_with_a_database_that_is_a_directory(self, sandbox: Sandbox, command: list[str]) -> None:
        sandbox.state.database.mkdir(parents=True)
        assert_sentence(sandbox.run(*command), 5, str(sandbox.state.database))


def assert_no_session_is_left(sandbox: Sandbox) -> None:
    assert not list(Path(sandbox.state.root).glob("sessions/*"))


def test_a_disk_too_full_for_the_query_leaves_nothing(sandbox: Sandbox) -> None:
    (sandbox.work / "query").write_text("long " * 100_000)
    sandbox.ok("ls")
    # A limit on the size of files stands in for the disk: it fails in the same place and needs no root.
    limited = f"ulimit -f 200; exec {sys.executable} -m hldctl launch --query-file query"
    done = subprocess.run(
        ["sh", "-c", limited], cwd=sandbox.work, env=sandbox.environment, capture_output=True, text=True, check=False
    )
    assert_sentence(done, 5, str(sandbox.state.root), "File too large")
    assert_no_session_is_left(sandbox)


def test_a_mistyped_command_is_set_right(sandbox: Sandbox) -> None:
    assert_sentence(sandbox.run("lunch", "Hi"), 2, "launch")


def test_help_and_version_need_no_state(sandbox: Sandbox) -> None:
    for arguments in (["--help"], ["--version"], ["launch", "--help"], ["ls", "-h"]):
        assert sandbox.run(*arguments, environment={"HLDCTL_HOME": "/proc/none"}).returncode == 0


def test_windows_gets_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from hldctl.cli import app

    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(SystemExit) as exited:
        app.main(["ls"])
    assert exited.value.code == 5
    assert "Windows" in capsys.readouterr().err
