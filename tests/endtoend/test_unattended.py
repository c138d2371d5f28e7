"""Unattended use in CI and scripts: messages, exit codes, and no hanging."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from hldctl.rehearsal.script import parse
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.statuses import ALLOW_BASH, WAITING_SCRIPT

DENIED = 'call Bash {"command": "touch forbidden"}\n\nsay Done.'


def test_denied_tool_is_a_failure_with_fail_on_denial(sandbox: Sandbox) -> None:
    sandbox.serve_script(DENIED)
    assert sandbox.run("launch", "Go", "--wait").returncode == 0
    done = sandbox.run("launch", "Go", "--wait", "--fail-on-denial")
    assert (done.returncode, done.stdout) == (1, "Done.\n")
    assert "1 tool call was denied: Bash" in done.stderr
    session = sandbox.show("last")
    assert (session["status"], session["end_reason"]) == ("failed", "error")
    assert not (sandbox.work / "forbidden").exists()


def test_session_without_denials_completes_with_fail_on_denial(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "echo out"}\n\nsay Done.')
    assert sandbox.run("launch", "Go", "--wait", "--fail-on-denial", *ALLOW_BASH).returncode == 0


@pytest.mark.parametrize(
    ("variables", "options", "hints"),
    [
        ({"CI": "true"}, [], True),
        ({"CI": "true"}, ["-q"], False),
        ({"CI": "true"}, ["--wait"], False),
        ({"CI": "false"}, [], False),
        ({}, [], False),
    ],
)
def test_launch_in_a_ci_job_warns_that_the_runner_kills_it(
    sandbox: Sandbox, variables: dict[str, str], options: list[str], hints: bool
) -> None:
    sandbox.serve_script("say Done.")
    done = sandbox.run("launch", "Go", *options, environment=variables)
    assert (done.returncode, "--wait" in done.stderr) == (0, hints)
    assert len(done.stdout.split()) == 1


def test_second_session_in_a_directory_is_warned(sandbox: Sandbox) -> None:
    sandbox.serve_script(WAITING_SCRIPT)
    first = sandbox.launch("Go", *ALLOW_BASH)
    second = sandbox.run("launch", "Go", *ALLOW_BASH)
    assert first[:8] in second.stderr
    assert sandbox.run("launch", "Go", "-q").stderr == ""
    assert sandbox.run("launch", "Go", "-C", sandbox.home).stderr == ""
    sandbox.release()


def test_ten_agents_run_in_ten_directories(sandbox: Sandbox) -> None:
    """This is the recipe of docs/how-to/many-at-once.md."""
    sandbox.serve_script("".join(f"[part-{number}]\nsay Result {number}.\n\n" for number in range(10)))
    for number in range(10):
        (sandbox.work / f"part-{number}").mkdir()
    script = """
ids=
for directory in part-*/; do
    ids="$ids $(hldctl launch -q -C "$directory" "Look through $directory")"
done
hldctl wait --results $ids
"""
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=sandbox.work,
        env=sandbox.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"Result {number}.\n" for number in range(10))


@pytest.mark.parametrize(
    "options",
    [
        ["--retries", "-1"],
        ["--retries", "many"],
        ["--timeout", "soon"],
        ["--timeout", "0"],
        ["--idle-timeout", "-5s"],
        ["--max-turns", "0"],
        ["--max-budget-usd", "-1"],
        ["--if-running", "perhaps", "--name", "x"],
        ["--rehearse", "/no/such/file"],
    ],
)
def test_invalid_options_are_refused_before_the_start(sandbox: Sandbox, options: list[str]) -> None:
    done = sandbox.run("launch", "Go", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[0] in done.stderr
    assert not sandbox.state.sessions.exists()
    eventually(lambda: not sandbox.processes(), "a supervisor that was started early to leave")


def write_script(sandbox: Sandbox, script: str) -> str:
    """Check the script, write it to a file and return its path."""
    parse(script)
    file = sandbox.root / "script.txt"
    file.write_text(script)
    return str(file)


def test_rehearsal_runs_real_claude_code_without_account_or_network(sandbox: Sandbox) -> None:
    script = write_script(sandbox, 'call Bash {"command": "echo $PWD"}\n\nsay Rehearsed.')
    elsewhere = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    elsewhere |= {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_AUTH_TOKEN": "x"}
    done = sandbox.run("launch", "Go", "--rehearse", script, "--wait", *ALLOW_BASH, environment=elsewhere)
    assert (done.returncode, done.stdout) == (0, "Rehearsed.\n")
    (result,) = [event for event in sandbox.events("last") if event["event_type"] == "tool_result"]
    assert result["tool_result_content"] == str(sandbox.work)
    assert sandbox.show("last")["rehearsed"] is True
    eventually(lambda: not sandbox.processes(), "the script's server to leave")


def test_rehearsal_is_independent_of_user_settings(sandbox: Sandbox) -> None:
    """Settings may name a gateway that charges for requests."""
    settings = sandbox.home / ".claude" / "settings.json"
    settings.parent.mkdir()
    gateway = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "real", "CLAUDE_CODE_USE_BEDROCK": "1"}
    settings.write_text(json.dumps({"env": gateway, "apiKeyHelper": "touch helper-was-asked"}))
    script = write_script(sandbox, "say Rehearsed.")
    extra_settings = json.dumps({"env": {"PLANET": "Mars"}})
    done = sandbox.run("launch", "Go", "--rehearse", script, "--settings", extra_settings, "--wait")
    assert (done.returncode, done.stdout) == (0, "Rehearsed.\n")
    assert not (sandbox.work / "helper-was-asked").exists()


def test_approvals_and_continuations_can_be_rehearsed(sandbox: Sandbox) -> None:
    script = write_script(sandbox, 'call Bash {"command": "touch made"}\n\nsay Done.\n\n[Thanks]\nsay Welcome.')
    session_id = sandbox.launch("Go", "--rehearse", script, "--approvals")
    eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "a request")
    sandbox.ok("approve", "--all")
    assert sandbox.wait_for_end(session_id)["result_content"] == "Done."
    assert (sandbox.work / "made").exists()
    os.unlink(script)
    assert sandbox.ok("continue", session_id, "Thanks", "--wait") == "Welcome.\n"


def test_rehearsal_outlives_its_supervisor_until_an_interrupt(sandbox: Sandbox) -> None:
    script = write_script(sandbox, WAITING_SCRIPT)
    session_id = sandbox.launch("Go", "--rehearse", script, *ALLOW_BASH)
    sandbox.wait_for_journal(session_id, "go-on")
    (supervisor,) = sandbox.supervisors()
    supervisor.kill()
    assert sandbox.show(session_id)["status"] == "running"
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["end_reason"] == "interrupted"
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_limits_can_be_rehearsed(sandbox: Sandbox) -> None:
    script = write_script(sandbox, "limit 1s\n\nsay After the night.")
    assert sandbox.launch("Go", "--rehearse", script, "--wait-for-reset", "--wait") == "After the night."


def test_invalid_script_is_reported_with_its_line(sandbox: Sandbox) -> None:
    script = sandbox.root / "script.txt"
    script.write_text("say Hi.\n\nsing Hallelujah.")
    done = sandbox.run("launch", "Go", "--rehearse", script)
    assert (done.returncode, "line 3" in done.stderr, str(script) in done.stderr) == (2, True, True)
    assert not sandbox.state.sessions.exists()
