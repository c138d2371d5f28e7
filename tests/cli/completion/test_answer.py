"""The answers of hldctl to a shell that completes a command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hldctl.cli.app import COMMANDS
from hldctl.config import schema
from tests.helpers.git_repository import Repository
from tests.helpers.projects import write_project
from tests.helpers.sandbox import Sandbox, eventually


def completions(sandbox: Sandbox, *words: str) -> list[str]:
    """Return the lines that hldctl prints for zsh: a word, and after a tab its description."""
    done = sandbox.run(*words, environment={"_HLDCTL_COMPLETE": "zsh"})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def values(sandbox: Sandbox, *words: str) -> list[str]:
    return [line.partition("\t")[0] for line in completions(sandbox, *words)]


@pytest.fixture
def sessions(sandbox: Sandbox) -> list[str]:
    """Return the IDs of an ended, a running and an archived session. Only the second has a conversation."""
    sandbox.fake_claude(
        "if 'stay' in sys.stdin.readline():\n"
        ' print(json.dumps({"type": "system", "subtype": "init", "session_id": "c0ffee00"}), flush=True)\n'
        " time.sleep(600)"
    )
    ended = sandbox.launch("Hi", "--title", "one\x1b[31m\ttwo", "--name", "nightly")
    archived = sandbox.launch("Hi")
    sandbox.run("wait", ended, archived)
    sandbox.ok("set", archived, "--archive")
    running = sandbox.launch("stay")
    eventually(lambda: sandbox.show(running)["claude_session_id"], "its conversation")
    return [ended, running, archived]


def test_completion_offers_sessions_that_fit_the_command(sandbox: Sandbox, sessions: list[str]) -> None:
    ended, running, archived = (session_id[:8] for session_id in sessions)
    assert completions(sandbox, "show", "") == [
        f"{running}\trunning · stay",
        f"{ended}\tfailed · one\\x1b[31m two",
        "nightly\tfailed · one\\x1b[31m two",
        "last\trunning · stay",
    ]
    for command in ("interrupt", "wait", "continue"):
        assert values(sandbox, command, "") == [running]
    assert values(sandbox, "rm", "") == [ended, "nightly"]
    assert values(sandbox, "rm", "--force", "") == [running, ended, "nightly", "last"]
    assert values(sandbox, "events", "--session", "") == [running, ended, "nightly", "last"]
    # A session already on the line is not offered again, and an archived one only if its ID is typed.
    assert values(sandbox, "tail", running, "") == [ended, "nightly"]
    assert values(sandbox, "show", archived[:6]) == [archived]
    assert values(sandbox, "show", running + sessions[1][8:12]) == [sessions[1]]
    assert values(sandbox, "launch", "--name", "") == ["nightly"]


def test_last_is_offered_if_the_newest_session_fits(sandbox: Sandbox, sessions: list[str]) -> None:
    ended, running = (session_id[:8] for session_id in sessions[:2])
    assert completions(sandbox, "wait", "la") == ["last\trunning · stay"]
    # The newest session runs, is already on the line, or does not match what is typed.
    assert values(sandbox, "rm", "la") == values(sandbox, "tail", running, "la") == []
    assert "last" not in values(sandbox, "tail", "last", "")
    assert values(sandbox, "show", ended[:4]) == [ended]
    sandbox.ok("interrupt", running)
    assert values(sandbox, "rm", "") == [running, ended, "nightly", "last"]
    assert values(sandbox, "interrupt", "la") == []
    # If the newest is archived, `last` is offered only after its first letter.
    sandbox.ok("set", running, "--archive")
    assert values(sandbox, "show", "") == [ended, "nightly"]
    assert values(sandbox, "show", "la") == ["last"]


def test_ids_with_a_common_prefix_are_offered_in_full(sandbox: Sandbox, sessions: list[str]) -> None:
    for number, session_id in enumerate(sessions[:1] + sessions[2:]):
        sandbox.sql("UPDATE sessions SET id = ?, archived = 0 WHERE id = ?", f"feedbeef-{number}", session_id)
    assert set(values(sandbox, "show", "feed")) == {"feedbeef-0", "feedbeef-1"}


def test_requests_are_offered_with_their_tool(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    session_id = sandbox.launch("Hi", "--approvals")
    eventually(lambda: sandbox.show(session_id)["pending_approvals"], "the request")
    (line,) = completions(sandbox, "approve", "")
    approval, _, description = line.partition("\t")
    assert description.startswith('Bash · {"command": "touch made"')
    assert values(sandbox, "approve", "--all", "--tool", "") == ["Bash"]
    assert values(sandbox, "deny", "--session", "") == values(sandbox, "approvals", "") == [session_id[:8]]
    sandbox.ok("deny", approval)
    assert completions(sandbox, "deny", "") == []


def test_choices_groups_commands_and_options_are_offered(sandbox: Sandbox) -> None:
    sandbox.configure("[groups]\nnightly = 2\n")
    assert completions(sandbox, "launch", "--group", "") == ["nightly\t2 at once"]
    assert values(sandbox, "") == list(COMMANDS)
    assert completions(sandbox, "int") == ["interrupt\tStop sessions and all processes they started"]
    assert values(sandbox, "--ver") == ["--version"]
    assert values(sandbox, "launch", "--if-running", "") == ["fail", "skip", "queue", "replace"]
    assert values(sandbox, "ls", "--sort=c") == ["--sort=created", "--sort=cost"]
    assert {"default", "acceptEdits", "plan", "bypassPermissions"} <= set(
        values(sandbox, "launch", "--permission-mode", "")
    )
    assert completions(sandbox, "launch", "--query-file", "") == [":files"]
    assert completions(sandbox, "launch", "-C", "") == [":directories"]
    # A flag is offered once, a repeatable option each time.
    assert not {"--all", "--json"} & set(values(sandbox, "ls", "--all", "--json", "--"))
    assert "--status" in values(sandbox, "ls", "--status", "failed", "--s")
    # Nothing is offered for free text and for arguments of Claude Code.
    for words in (["launch", "--title", ""], ["launch", "some"], ["launch", "--", ""], ["nonsense", ""], []):
        assert completions(sandbox, *words) == []


def test_profiles_are_offered_with_their_keys(sandbox: Sandbox) -> None:
    sandbox.configure("[profiles.review]\nmodel = 'opus'\nretries = 1\n")
    write_project(sandbox.work, "[profiles.fix]\n")
    for command in ("launch", "continue", "config"):
        assert completions(sandbox, command, "--profile", "") == ["fix", "review\tmodel, retries"]


def test_config_subcommands_keys_and_values_are_offered(sandbox: Sandbox) -> None:
    assert values(sandbox, "config", "") == ["get", "set", "unset", "edit", "path", "trust", "untrust"]
    assert completions(sandbox, "config", "p") == [
        "path\tPrint the path of the configuration file, even if it does not exist"
    ]
    assert values(sandbox, "config", "--") == ["--profile", "--working-dir", "--json", "--host", "--help"]
    assert values(sandbox, "config", "get", "--") == ["--json", "--host", "--help"]
    assert values(sandbox, "config", "get", "--json", "--") == ["--host", "--help"]
    assert values(sandbox, "config", "set", "--") == ["--host", "--help"]
    for command in ("get", "set", "unset"):
        assert values(sandbox, "config", command, "") == list(schema.KEYS)
    assert values(sandbox, "config", "get", "--json", "max_r") == ["max_running"]
    assert values(sandbox, "config", "set", "approvals", "") == ["true", "false"]
    assert values(sandbox, "config", "set", "permission_mode", "acc") == ["acceptEdits"]
    assert values(sandbox, "config", "set", "model", "") == values(sandbox, "launch", "--model", "")
    # A text, a number, a second value, and an unknown subcommand.
    for words in (
        ["set", "on_end", "t"],
        ["set", "retries", "1"],
        ["set", "approvals", "true", "t"],
        ["nonsense", "m"],
    ):
        assert completions(sandbox, "config", *words) == []


def test_bash_quotes_and_word_breaks_are_parsed(sandbox: Sandbox) -> None:
    def in_bash(line: str) -> str:
        return sandbox.ok(" \t\n:=@", line, environment={"_HLDCTL_COMPLETE": "bash"})

    assert in_bash("hldctl launch 'Fix it' --if-running=q") == "queue\n"
    assert in_bash("hldctl ls --sort c") == "created\ncost\n"
    assert in_bash("hldctl launch 'Fix") == ""
    sandbox.configure('[groups]\n"two words" = 1\n')
    assert in_bash("hldctl launch --group t") == "'two words'\n"


def create_nothing(sandbox: Sandbox) -> None:
    pass


def create_file_as_directory(sandbox: Sandbox) -> None:
    sandbox.state.root.write_text("in the way")


def create_invalid_database(sandbox: Sandbox) -> None:
    sandbox.state.root.mkdir()
    sandbox.state.database.write_bytes(b"not a database" * 100)


def create_empty_database(sandbox: Sandbox) -> None:
    sandbox.state.root.mkdir()
    sandbox.state.database.touch()


@pytest.mark.parametrize(
    "prepare", [create_nothing, create_file_as_directory, create_invalid_database, create_empty_database]
)
def test_completion_is_silent_if_the_state_is_broken(sandbox: Sandbox, prepare: Callable[[Sandbox], None]) -> None:
    prepare(sandbox)
    sandbox.configure("groups = [")
    before = sorted(sandbox.root.rglob("*"))
    options = (["launch", "--name", ""], ["launch", "--group", ""], ["launch", "--profile", ""])
    for words in (["show", ""], ["approve", ""], *options):
        assert completions(sandbox, *words) == []
    assert sorted(sandbox.root.rglob("*")) == before


def test_completion_writes_nothing_and_adopts_no_session(sandbox: Sandbox, sessions: list[str]) -> None:
    def files() -> list[tuple[Path, int]]:
        times = [(path, path.stat().st_mtime_ns) for path in sandbox.state.root.rglob("*")]
        # Except the shared memory of the readers: after a crash the first reader creates it.
        return sorted(entry for entry in times if entry[0].suffix != ".db-shm")

    session = sandbox.show(sessions[1])
    for pid in (session["supervisor_pid"], session["pid"]):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not sandbox.processes(), "their end")
    before = files()
    assert len(values(sandbox, "show", "")) == 4
    assert (files(), sandbox.processes()) == (before, [])
    # The same if no process has the database open and its shared memory is deleted.
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = files()
    assert len(values(sandbox, "show", "")) == 4
    assert files() == before


def test_branches_and_tags_are_offered_for_a_base(sandbox: Sandbox) -> None:
    repository = Repository(sandbox)
    repository.git("tag", "v1")
    assert values(sandbox, "launch", "--worktree", "--base", "") == ["main", "v1"]
    assert completions(sandbox, "land", "--into", "m") == ["main\tFirst"]
    # Its value, if any, is in the same word: what follows is the query, or another option.
    assert "--base" in values(sandbox, "launch", "--worktree", "--b")


def test_engines_are_completed(sandbox: Sandbox) -> None:
    assert values(sandbox, "launch", "--on", "") == ["slurm"]
    assert values(sandbox, "launch", "--on=sl") == ["--on=slurm"]
