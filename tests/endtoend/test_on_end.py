"""The `on_end` command: it runs once, whichever process is killed."""

from __future__ import annotations

import json
import random

import psutil
import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, kill_and_wait


def lines(sandbox: Sandbox, name: str) -> list[str]:
    file = sandbox.work / name
    return file.read_text().splitlines() if file.exists() else []


def pending(sandbox: Sandbox) -> int:
    ((count,),) = sandbox.sql("SELECT count(*) FROM sessions WHERE on_end_pending = 1")
    return int(count)


def test_command_gets_the_session_as_json_and_in_variables(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    command = "cat > told; env > variables; pwd > where"
    session_id = sandbox.launch("Go", "--name", "nightly", "--on-end", command, "--wait", "-q")
    assert session_id == "Done."
    session = sandbox.show("last")
    received = json.loads("".join(lines(sandbox, "told")))
    assert received == {name: session[name] for name in received}
    assert {"id", "status", "result_content", "cost_usd"} <= received.keys()
    variables = dict(line.partition("=")[::2] for line in lines(sandbox, "variables"))
    assert variables["HLDCTL_SESSION_ID"] == session["id"]
    assert (variables["HLDCTL_STATUS"], variables["HLDCTL_END_REASON"]) == ("completed", "success")
    assert (variables["HLDCTL_NAME"], variables["HLDCTL_RESULT_CONTENT"]) == ("nightly", "Done.")
    assert lines(sandbox, "where") == [str(sandbox.work)]


@pytest.mark.parametrize(
    ("script", "options", "reason"),
    [
        ("fail 400 Wrong", [], "api_error"),
        ("hang", ["--timeout", "2s"], "timeout"),
    ],
)
def test_command_runs_after_every_kind_of_end(sandbox: Sandbox, script: str, options: list[str], reason: str) -> None:
    sandbox.serve_script(script)
    sandbox.run("launch", "Go", "--on-end", 'echo "$HLDCTL_END_REASON" >> told', "--wait", *options)
    assert lines(sandbox, "told") == [reason]


def test_command_runs_for_a_session_that_could_not_start(sandbox: Sandbox) -> None:
    broken = sandbox.fake_claude("")
    broken.write_text("#!/nowhere/python\n")
    assert sandbox.run("launch", "Go", "--on-end", 'echo "$HLDCTL_END_REASON" >> told').returncode == 5
    eventually(lambda: lines(sandbox, "told") == ["spawn_failed"], "the command")


def test_command_runs_for_a_session_that_never_left_the_queue(sandbox: Sandbox) -> None:
    sandbox.configure("max_running = 1\non_end = 'echo \"$HLDCTL_STATUS\" >> told'")
    sandbox.serve_script("hang")
    sandbox.launch("Go", "--on-end", "")
    waits = sandbox.launch("Go")
    sandbox.ok("interrupt", waits)
    eventually(lambda: lines(sandbox, "told") == ["interrupted"], "the command")


def test_failed_command_does_no_harm_and_is_logged(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    assert sandbox.run("launch", "Go", "--on-end", "echo oh; exit 3", "--wait").returncode == 0
    log = sandbox.files(sandbox.show("last")["id"]).log.read_text()
    assert "oh" in log
    assert "exit code 3" in log


def test_command_is_not_repeated_after_a_kill_while_it_runs(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go", "--on-end", "echo begun >> told; until [ -e go-on ]; do sleep 0.1; done")
    eventually(lambda: lines(sandbox, "told"), "the command")
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    kill_and_wait(supervisor)
    assert pending(sandbox) == 1
    sandbox.ok("ls")
    eventually(lambda: pending(sandbox) == 0, "the next supervisor to see that it has been run")
    sandbox.release()
    assert lines(sandbox, "told") == ["begun"]


def test_next_supervisor_runs_the_command_after_a_kill_before_it(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Go", "--on-end", "echo begun >> told", "--wait", "-q")
    # As if the supervisor had died right after committing the end.
    session_id = sandbox.show("last")["id"]
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")
    (sandbox.work / "told").unlink()
    sandbox.files(session_id).on_end_started.rmdir()
    sandbox.sql("UPDATE sessions SET on_end_pending = 1 WHERE id = ?", session_id)
    for _ in range(2):
        sandbox.ok("ls")
    eventually(lambda: pending(sandbox) == 0, "the next supervisor")
    assert lines(sandbox, "told") == ["begun"]


def test_killed_supervisors_run_the_command_once_each(sandbox: Sandbox) -> None:
    sandbox.serve_script("wait 200ms\nsay Done.")
    chance = random.Random(7)
    ids = [sandbox.launch("Go", "--on-end", 'echo "$HLDCTL_SESSION_ID" >> told') for _ in range(6)]
    for _ in range(40):
        supervisors = sandbox.supervisors()
        if not supervisors:
            break
        process = chance.choice(supervisors)
        kill_and_wait(process)
        sandbox.ok("ls")
    sandbox.run("wait", *ids)
    eventually(lambda: sandbox.ok("ls", "-q") and pending(sandbox) == 0, "all commands")
    # A new supervisor may still be running the command of one that was killed.
    eventually(lambda: len(lines(sandbox, "told")) >= len(ids), "the last words")
    assert sorted(lines(sandbox, "told")) == sorted(ids)


@pytest.mark.parametrize(
    "command", ["no-such-command-anywhere", "/no/such/file --now", "if true", "X=1 nowhere-at-all x"]
)
def test_missing_command_is_refused_before_the_start(sandbox: Sandbox, command: str) -> None:
    done = sandbox.run("launch", "Go", "--on-end", command, "--create-dir", "-C", str(sandbox.work / "new"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--on-end" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not sandbox.state.sessions.exists()
    assert not (sandbox.work / "new").exists()


@pytest.mark.parametrize(
    "command", ["true", "cat >x", "(echo a; echo b)", "~/notify", "./notify", "A=1 B=2 cat", ": no-op"]
)
def test_any_shell_command_is_accepted(sandbox: Sandbox, command: str) -> None:
    for directory in (sandbox.home, sandbox.work):
        (directory / "notify").write_text("#!/bin/sh\n")
        (directory / "notify").chmod(0o755)
    sandbox.serve_script("say Done.")
    assert sandbox.run("launch", "Go", "--wait", "--on-end", command).returncode == 0


def test_wait_also_waits_for_the_command(sandbox: Sandbox) -> None:
    """A CI job ends with its last command, and its runner kills the remaining processes."""
    sandbox.serve_script("say Done.")
    command = "until [ -e go-on ]; do sleep 0.1; done; touch done"
    with sandbox.popen("launch", "Go", "--on-end", command, "--wait") as waits:
        eventually(sandbox.state.database.exists, "the database")
        eventually(lambda: sandbox.ok("ls", "-q") and pending(sandbox) == 1, "the session's end")
        assert waits.poll() is None
        sandbox.release()
        assert waits.wait(TIMEOUT_SECONDS) == 0
    assert (sandbox.work / "done").exists()
