"""The start of a session: what is refused before it, and a Claude Code that ends at once."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.statuses import ALLOW_BASH, WAITING_SCRIPT


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--permission-mode", "yolo"], ["'yolo' is not a permission mode", "acceptEdits"]),
        (["--", "--output-format", "text"], ["--output-format after --", "remove it"]),
        (["--", "--input-format=stream-json"], ["--input-format after --"]),
        (["--", "--bg"], ["--bg after --"]),
        (["--", "--version"], ["--version after --"]),
    ],
    ids=["mode", "output", "input", "background", "version"],
)
def test_arguments_that_cannot_work_are_refused(sandbox: Sandbox, arguments: list[str], messages: list[str]) -> None:
    done = sandbox.run("launch", "Go", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(message in done.stderr for message in messages), done.stderr
    assert not sandbox.state.sessions.exists()
    eventually(lambda: not sandbox.processes(), "a supervisor that was started early to leave")


def test_unknown_permission_mode_in_the_configuration_is_refused(sandbox: Sandbox) -> None:
    sandbox.configure('permission_mode = "yolo"')
    done = sandbox.run("launch", "Go")
    assert (done.returncode, done.stdout) == (2, "")
    assert "permission_mode" in done.stderr
    assert "dontAsk" in done.stderr


def test_launch_fails_if_claude_code_refuses_its_arguments(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    done = sandbox.run("launch", "Go", "--", "--no-such-flag")
    assert (done.returncode, done.stdout) == (5, "")
    assert "unknown option '--no-such-flag'" in done.stderr
    assert sandbox.show("last")["id"] in done.stderr


def test_launch_returns_once_claude_code_has_accepted_its_arguments(sandbox: Sandbox) -> None:
    sandbox.serve_script("hang")
    session_id = sandbox.launch("Go", "--", "--effort", "high")
    # Claude Code writes a line once it has parsed its arguments.
    assert sandbox.files(session_id).journal.read_text()
    assert sandbox.show(session_id)["status"] == "running"
    sandbox.ok("interrupt", session_id)


def test_launch_without_a_login_fails_with_advice_for_a_shell(sandbox: Sandbox) -> None:
    done = sandbox.run("launch", "Hello")
    assert (done.returncode, done.stdout) == (5, "")
    assert "Not logged in" in done.stderr
    assert "claude auth login" in done.stderr
    assert "/login" not in done.stderr


def test_queued_session_is_not_waited_for(sandbox: Sandbox) -> None:
    sandbox.serve_script("hang")
    running = sandbox.launch("Go", "--name", "nightly")
    queued = sandbox.launch("Go", "--name", "nightly", "--if-running", "queue", "--", "--no-such-flag")
    assert sandbox.show(queued)["status"] == "queued"
    sandbox.ok("interrupt", queued, running)


def start_waiting_session(sandbox: Sandbox, *options: str) -> str:
    sandbox.serve_script(WAITING_SCRIPT)
    session_id = sandbox.launch("Go", *ALLOW_BASH, *options)
    sandbox.wait_for_journal(session_id, "go-on")
    return session_id


def test_session_behind_one_of_the_same_name_does_not_share_its_directory(sandbox: Sandbox) -> None:
    start_waiting_session(sandbox, "--name", "nightly")
    queued = sandbox.run("launch", "Go", "--name", "nightly", "--if-running", "queue", *ALLOW_BASH)
    assert "queued" in queued.stderr
    assert "directory" not in queued.stderr
    sandbox.release()


def test_session_in_a_worktree_does_not_share_its_directory(sandbox: Sandbox) -> None:
    commit = ("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty", "-m", "One")
    for command in (("init", "-q"), commit):
        subprocess.run(["git", *command], cwd=sandbox.work, env=sandbox.environment, check=True)
    first = start_waiting_session(sandbox)
    apart = sandbox.run("launch", "Go", *ALLOW_BASH, "--", "--worktree", "two")
    assert (apart.returncode, apart.stderr) == (0, "")
    beside = sandbox.run("launch", "Go", *ALLOW_BASH)
    assert f"also running in the same directory: {first[:8]};" in beside.stderr
    for session in json.loads(sandbox.ok("ls", "--json")):
        sandbox.ok("interrupt", session["id"])


def test_session_whose_process_is_gone_shares_no_directory(sandbox: Sandbox) -> None:
    first = start_waiting_session(sandbox)
    (supervisor,) = sandbox.supervisors()
    supervisor.suspend()
    claude = sandbox.show(first)["pid"]
    subprocess.run(["kill", "-9", str(claude)], check=True)
    assert sandbox.run("launch", "Go", *ALLOW_BASH).stderr == ""
    supervisor.resume()
    sandbox.release()
