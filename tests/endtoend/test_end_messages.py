"""What a waiting command prints about a session that did not simply complete: which one, why, and what to type next."""

from __future__ import annotations

import json

import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.statuses import ALLOW_BASH
from tests.helpers.terminal import Terminal

SCRIPT = """
call Bash {"command": "touch forbidden"}

say Done.

[hang]
hang

[bad]
fail 400 no luck

[turns]
call Bash {"command": "echo 1"}

call Bash {"command": "echo 2"}

say End.
"""


@pytest.mark.parametrize(
    ("query", "options", "code", "message"),
    [
        ("hang", ["--timeout", "1s"], 124, "stopped: still running after --timeout 1s; see: hldctl show"),
        ("hang", ["--idle-timeout", "1s"], 124, "stopped: no activity for --idle-timeout 1s; see: hldctl show"),
        (
            "turns",
            ["--max-turns", "1", *ALLOW_BASH],
            1,
            "failed: Reached maximum number of turns (1); see: hldctl show",
        ),
        ("bad", [], 1, "failed: API Error: 400 no luck; see: hldctl show"),
        ("call", ["--fail-on-denial"], 1, "failed: 1 tool call was denied: Bash; see: hldctl show"),
    ],
    ids=["timeout", "idle timeout", "turns", "API error", "denial"],
)
def test_quiet_failure_names_session_reason_and_next_command(
    sandbox: Sandbox, query: str, options: list[str], code: int, message: str
) -> None:
    sandbox.serve_script(SCRIPT)
    done = sandbox.run("launch", "-q", query, "--wait", "--name", "nightly", "--no-approvals", *options)
    short_id = sandbox.show("last")["id"][:8]
    assert (done.returncode, done.stderr) == (code, f"hldctl: nightly ({short_id}) {message} {short_id}\n")


def test_interrupt_from_elsewhere_is_reported_with_the_way_to_continue(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    launcher = sandbox.popen("launch", "-q", "Go", "--wait", "--title", "Chores")
    (session_id,) = eventually(lambda: sandbox.run("ls", "-q").stdout.split(), "the session")
    sandbox.wait_for_journal(session_id, "Here.")
    sandbox.ok("interrupt", session_id)
    _, errors = launcher.communicate(timeout=TIMEOUT_SECONDS)
    short_id = session_id[:8]
    assert launcher.returncode == 130
    assert errors == f"hldctl: Chores ({short_id}) was interrupted; to continue it: hldctl continue {short_id}\n"


def test_denied_calls_of_a_completed_session_are_named(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    done = sandbox.run("launch", "Go", "--wait")
    short_id = sandbox.show("last")["id"][:8]
    assert (done.returncode, done.stdout) == (0, "Done.\n")
    denied = f"session {short_id} completed, but 1 tool call was denied: Bash touch forbidden"
    assert f"hldctl: {denied}; see: hldctl show {short_id}\n" in done.stderr
    assert sandbox.run("launch", "-q", "Go", "--wait").stderr == ""


def test_lines_of_an_error_cannot_pass_for_messages_of_hldctl(sandbox: Sandbox) -> None:
    sandbox.fake_claude('print("oh\\nhldctl: all is well", file=sys.stderr)\nsys.exit(3)')
    done = sandbox.run("launch", "-q", "Go", "--wait")
    short_id = sandbox.show("last")["id"][:8]
    assert done.stderr.splitlines() == [
        f"hldctl: session {short_id} failed: oh",
        "  hldctl: all is well",
        f"hldctl: see: hldctl show {short_id}",
    ]


def test_wait_reports_failures(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    session_id = sandbox.launch("bad")
    waited = sandbox.run("wait", session_id)
    assert (waited.returncode, waited.stdout) == (1, "")
    assert waited.stderr == (
        f"hldctl: session {session_id[:8]} failed: API Error: 400 no luck; see: hldctl show {session_id[:8]}\n"
    )


def test_follow_with_wait_prints_the_conversation_on_stderr_and_the_result_on_stdout(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.")
    done = sandbox.run("launch", "Hello", "--wait", "--follow")
    session_id = sandbox.show("last")["id"]
    assert (done.returncode, done.stdout) == (0, "One.\n")
    first, *conversation, end = done.stderr.splitlines()
    assert (first, conversation) == (f"hldctl: session {session_id}", ["user: Hello", "claude: One."])
    assert end.startswith(f"hldctl: session {session_id[:8]} completed after ")
    as_json = sandbox.run("launch", "Hello", "--wait", "--follow", "--json")
    assert json.loads(as_json.stdout)["result_content"] == "One."
    assert as_json.stderr.splitlines()[:2] == ["user: Hello", "claude: One."]


def test_follow_with_wait_draws_the_conversation_while_the_result_goes_to_a_file(sandbox: Sandbox) -> None:
    sandbox.serve_script("say One.")
    command = "exec hldctl launch --no-approvals --wait --follow Hello > result"
    with Terminal(sandbox, program=("sh", "-c", command)) as terminal:
        code, _ = terminal.wait_for_exit()
        assert "✓ completed" in "\n".join(terminal.screen())
    assert (code, (sandbox.work / "result").read_text()) == (0, "One.\n")


@pytest.mark.parametrize("options", [["--follow"], ["--follow", "--wait"]])
def test_follow_names_the_session_on_stderr(sandbox: Sandbox, options: list[str]) -> None:
    sandbox.serve_script("say One.")
    done = sandbox.run("launch", "Hello", *options)
    assert done.stderr.splitlines()[0] == f"hldctl: session {sandbox.show('last')['id']}"
    assert "hldctl" not in sandbox.run("launch", "-q", "Hello", *options).stderr


def test_skipped_launch_prints_no_result(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    running = sandbox.launch("Go", "--name", "nightly")
    skipped = sandbox.run("launch", "Go", "--wait", "--name", "nightly", "--if-running", "skip")
    assert (skipped.returncode, skipped.stdout) == (0, "")
    assert skipped.stderr == f"hldctl: skipped: session {running} is already running\n"
    as_json = sandbox.ok("launch", "Go", "--wait", "--json", "--name", "nightly", "--if-running", "skip")
    assert json.loads(as_json)["status"] == "running"
    quiet = sandbox.run("launch", "-q", "Go", "--wait", "--name", "nightly", "--if-running", "skip")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert sandbox.launch("Go", "--name", "nightly", "--if-running", "skip") == running
    sandbox.ok("interrupt", running)
