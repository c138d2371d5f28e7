"""The state directory: private to its owner, not writable by others, and created only once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hldctl.permission_hook.command import build_hook_command
from tests.faults.outcome import assert_no_process_is_left, assert_refused
from tests.helpers.another_user import OTHER_UID, UNPRIVILEGED_PREFIX, owned_by_another_user
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, kill

COMMANDS = (
    ["launch", "Go"],
    ["launch", "Go", "--name", "nightly"],
    ["continue", "last", "Go on"],
    ["interrupt", "--all"],
    ["ls"],
    ["ls", "--json"],
    ["show", "last"],
    ["tail", "last"],
    ["wait", "last"],
    ["set", "last", "--title", "x"],
    ["approvals"],
    ["approve", "--all"],
    ["deny", "--all"],
    ["events"],
    ["export", "last"],
    ["stats"],
    ["rm", "last"],
    ["prune", "--keep", "0"],
)


def session_with_pending_command(sandbox: Sandbox) -> str:
    """Create an ended session whose `on_end` command has to be run by the next supervisor."""
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--on-end", "touch ran", "--retries", "1", "--wait")
    session_id: str = sandbox.show("last")["id"]
    assert_no_process_is_left(sandbox)
    (sandbox.work / "ran").unlink()
    files = sandbox.files(session_id)
    files.on_end_started.rmdir()
    sandbox.sql("UPDATE sessions SET on_end_pending = 1 WHERE id = ?", session_id)
    return session_id


def tree(root: Path) -> dict[Path, tuple[int, int, int]]:
    """Return all paths below the root with owner, mode and modification time."""
    statuses = {path: path.lstat() for path in (root, *root.rglob("*"))}
    return {path: (status.st_uid, status.st_mode, status.st_mtime_ns) for path, status in statuses.items()}


@pytest.mark.parametrize("is_linked", [False, True])
def test_commands_refuse_another_users_state_and_run_nothing_of_it(sandbox: Sandbox, is_linked: bool) -> None:
    session_id = session_with_pending_command(sandbox)
    link = sandbox.root / "link"
    link.symlink_to(sandbox.state.root)
    profile = sandbox.home / ".profile"
    profile.write_text(f"touch {sandbox.work}/ran\n")
    environment = {"HLDCTL_HOME": str(link if is_linked else sandbox.state.root), "SHELL": "/bin/sh"}
    with owned_by_another_user(sandbox.state.root):
        before = tree(sandbox.state.root)
        for command in COMMANDS:
            # Without HLDCTL_CLAUDE, launch asks the login shell, which runs the profile.
            done = sandbox.run(*command, environment=environment | {"HLDCTL_CLAUDE": "", "PATH": "/usr/bin:/bin"})
            assert_refused(done, f"belongs to user {OTHER_UID}")
        adoption = subprocess.run(
            [sys.executable, "-m", "hldctl.supervisor", "adopt", session_id],
            env=sandbox.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "belongs to user" in adoption.stdout
        completed = sandbox.run("show", "", environment=environment | {"_HLDCTL_COMPLETE": "zsh"})
        assert session_id[:8] not in completed.stdout
        assert tree(sandbox.state.root) == before
    assert_no_process_is_left(sandbox)
    assert not (sandbox.work / "ran").exists()


def test_hook_denies_what_another_users_database_would_allow(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go", "--dangerously-skip-permissions", "--wait", "--json")
    session_id = sandbox.show("last")["id"]
    assert_no_process_is_left(sandbox)
    sandbox.sql("UPDATE sessions SET status = 'running', completed_at = NULL WHERE id = ?", session_id)

    def answer() -> str:
        return subprocess.run(
            build_hook_command(session_id, sandbox.state.root),
            shell=True,
            input='{"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "true"}}',
            env={},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert '"allow"' in answer()
    with owned_by_another_user(sandbox.state.root):
        assert '"deny"' in answer()
    with owned_by_another_user(sandbox.state.database):
        assert '"deny"' in answer()


@pytest.mark.parametrize("part", ["directory", "request", "session_record"])
def test_file_put_into_a_session_by_another_user_is_not_run(sandbox: Sandbox, part: str) -> None:
    session_id = session_with_pending_command(sandbox)
    files = sandbox.files(session_id)
    path: Path = getattr(files, part)
    if not path.exists():
        path.write_text("{}")
    with owned_by_another_user(path):
        sandbox.ok("ls")
        assert_no_process_is_left(sandbox)
        assert not (sandbox.work / "ran").exists()
        # Its row may be lost too.
        sandbox.sql("DELETE FROM sessions WHERE id = ?", session_id)
        os.utime(files.directory, (0, 0))
        sandbox.run("doctor", "--fix")
        assert_no_process_is_left(sandbox)
    assert not (sandbox.work / "ran").exists()


@pytest.mark.parametrize("part", ["database", "sessions"])
def test_commands_refuse_a_part_of_the_state_of_another_user(sandbox: Sandbox, part: str) -> None:
    session_with_pending_command(sandbox)
    path: Path = getattr(sandbox.state, part)
    with owned_by_another_user(path):
        for command in COMMANDS:
            assert_refused(sandbox.run(*command), str(path), "belongs to", "chown")
    assert not (sandbox.work / "ran").exists()


SESSION_COMMANDS = (
    ["show"],
    ["tail"],
    ["tail", "--raw"],
    ["wait"],
    ["wait", "--results"],
    ["set", "--title", "x"],
    ["export"],
    ["interrupt"],
    ["rm"],
    ["rm", "--force"],
)


@pytest.mark.parametrize("prefix", [(), UNPRIVILEGED_PREFIX], ids=["privileged", "unprivileged"])
def test_commands_ignore_a_session_in_another_users_directory(sandbox: Sandbox, prefix: tuple[str, ...]) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    sandbox.ok("launch", "Go", "--wait")
    session_id, other = (session["id"] for session in json.loads(sandbox.ok("ls", "--json")))
    assert_no_process_is_left(sandbox)
    files = sandbox.files(session_id)
    treasure = sandbox.home / "treasure"
    treasure.write_text("gold")
    # Root would follow it and write the session's title into another file.
    files.session_record.with_name(f"session.json.{os.getpid()}.tmp").symlink_to(treasure)
    sandbox.prefix = prefix
    with owned_by_another_user(files.directory):
        before = tree(files.directory)
        for command in SESSION_COMMANDS:
            assert_refused(sandbox.run(*command, session_id), str(files.directory), "belongs to")
        sandbox.ok("prune", "--keep", "0")
        assert tree(files.directory) == before
        (left,) = json.loads(sandbox.ok("ls", "--json"))
        assert (left["id"], left["title"]) == (session_id, None)
    assert not sandbox.files(other).directory.exists()
    assert treasure.read_text() == "gold"


def test_request_in_another_users_directory_is_not_answered(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch allowed"}\n\nsay Done.')
    session_id = sandbox.launch("Go", "--approvals")

    def requests() -> list[dict[str, Any]]:
        approvals: list[dict[str, Any]] = json.loads(sandbox.ok("approvals", "--all", "--json"))
        return approvals

    (request,) = eventually(requests, "the request")
    directory = sandbox.files(session_id).directory
    with owned_by_another_user(directory):
        for command in (["approve", request["id"]], ["deny", request["id"]], ["approve", "--all"]):
            assert_refused(sandbox.run(*command), str(directory), "belongs to")
    assert [request["status"] for request in requests()] == ["pending"]
    sandbox.ok("approve", request["id"])
    assert sandbox.wait_for_end(session_id)["result_content"] == "Done."
    assert (sandbox.work / "allowed").exists()


@pytest.mark.parametrize("part", ["directory of sessions", "directory of a session"])
def test_inaccessible_directory_gives_an_error_message(sandbox: Sandbox, part: str) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    session_id = sandbox.show("last")["id"]
    assert_no_process_is_left(sandbox)
    closed = sandbox.state.sessions if part == "directory of sessions" else sandbox.files(session_id).directory
    sandbox.prefix = UNPRIVILEGED_PREFIX
    closed.chmod(0)
    try:
        for command in COMMANDS:
            if command[0] != "launch" or part == "directory of sessions":
                done = sandbox.run(*command)
                assert "Traceback" not in done.stderr, command
                assert done.returncode in (0, 5), command
    finally:
        closed.chmod(0o700)


@pytest.mark.parametrize("prefix", [(), UNPRIVILEGED_PREFIX], ids=["privileged", "unprivileged"])
@pytest.mark.parametrize("part", ["directory", "environment", "rehearsal"])
def test_session_in_another_users_directory_is_not_continued(
    sandbox: Sandbox, prefix: tuple[str, ...], part: str
) -> None:
    script = sandbox.work / "script"
    script.write_text("say Done.")
    sandbox.ok("launch", "Go", "--rehearse", script, "--env", "A=b", "--wait")
    session_id = sandbox.show("last")["id"]
    assert_no_process_is_left(sandbox)
    sandbox.prefix = prefix
    with owned_by_another_user(getattr(sandbox.files(session_id), part)):
        assert_refused(sandbox.run("continue", "last", "Go on"), "belongs to")
    # A file that the user owns but cannot read gives an error message too.
    own = sandbox.files(session_id).rehearsal
    own.chmod(0)
    if prefix:
        assert_refused(sandbox.run("continue", "last", "Go on"), str(own))


@pytest.mark.parametrize("command", [["ls"], ["doctor"], ["launch", "Go"]], ids=lambda command: command[0])
@pytest.mark.parametrize("is_empty", [False, True])
@pytest.mark.parametrize("mode", [0o1777, 0o755])
def test_commands_do_not_restrict_a_shared_directory(
    sandbox: Sandbox, command: list[str], mode: int, is_empty: bool
) -> None:
    shared = sandbox.root / "shared"
    shared.mkdir()
    if not is_empty:
        (shared / "notes").touch()
    shared.chmod(mode)
    done = sandbox.run(*command, environment={"HLDCTL_HOME": str(shared)})
    assert done.returncode == 5
    assert "HLDCTL_HOME" in done.stdout + done.stderr
    assert ("chmod 700" in done.stdout + done.stderr) == (mode == 0o755)
    assert shared.stat().st_mode & 0o7777 == mode
    assert [path.name for path in shared.iterdir()] == ([] if is_empty else ["notes"])


def test_supervisors_do_not_recreate_a_deleted_state_directory(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1")
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash", "--on-end", "touch ran")
    sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "go-on")
    eventually(lambda: len(sandbox.supervisors()) == 2, "the second supervisor")
    # A child that is just being forked for the tool has the same arguments.
    eventually(lambda: len(sandbox.processes_with_argument("stream-json")) == 1, "Claude Code alone")
    (claude,) = sandbox.processes_with_argument("stream-json")

    def delete() -> bool:
        # Files written during the deletion can make the first attempts fail.
        shutil.rmtree(sandbox.state.root, ignore_errors=True)
        return not sandbox.state.root.exists()

    eventually(delete, "the directory to be gone")
    eventually(lambda: not sandbox.supervisors(), "the supervisors to leave")
    assert claude.is_running()
    sandbox.release()
    assert_no_process_is_left(sandbox)
    assert not sandbox.state.root.exists()


def test_session_continues_in_a_moved_state_directory(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    moved = Sandbox(sandbox.root / "moved", {**sandbox.environment, "HLDCTL_HOME": str(sandbox.root / "moved/state")})
    sandbox.state.root.rename(moved.state.root)
    try:
        eventually(lambda: not sandbox.supervisors(), "the supervisor to leave")
        assert "deleted or moved" in moved.files(session_id).log.read_text()
        assert moved.show(session_id)["status"] == "running"
        sandbox.release()
        assert moved.wait_for_end(session_id)["result_content"] == "Two."
        assert_no_process_is_left(moved)
    finally:
        kill(moved.processes())
    assert_no_process_is_left(sandbox)
    assert not sandbox.state.root.exists()
