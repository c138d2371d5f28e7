"""The check: a session is completed only if the user's command succeeds; otherwise the model gets its output."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import psutil
import pytest

from tests.crash.audit import faults
from tests.helpers.messages import user_messages
from tests.helpers.sandbox import Json, Sandbox, eventually, kill, kill_and_wait

FIXING_SCRIPT = 'say Done.\n\n[The check]\ncall Bash {"command": "touch fixed"}\n\nsay Fixed.'
"""The model fixes what the check reports."""

GATE = "echo begun >> runs; until [ -e go-on ]; do sleep 0.05; done"
"""The beginning of a check that runs until `release` is called."""


def launch_checked(sandbox: Sandbox, check: str, *arguments: str, script: str = "say Done.") -> str:
    sandbox.serve_script(script)
    return sandbox.launch("Go", "--check", check, "--allowed-tools", "Bash", *arguments)


def notes(sandbox: Sandbox, session_id: str) -> list[str]:
    """Return the notes on checks in the conversation."""
    query = (
        "SELECT content FROM conversation_events WHERE session_id = ? AND note_kind IN ('check_passed', 'check_failed')"
        " ORDER BY sequence"
    )
    return [content for (content,) in sandbox.sql(query, session_id)]


def outcome(session: Json) -> tuple[str, str]:
    return session["status"], session["end_reason"]


def wait_for_check(sandbox: Sandbox) -> None:
    eventually((sandbox.work / "runs").exists, "the check to run")


def test_model_gets_the_output_and_fixes_it(sandbox: Sandbox) -> None:
    check = "echo it is broken; test -e fixed"
    session_id = launch_checked(sandbox, check, script=FIXING_SCRIPT)
    session = sandbox.wait_for_end(session_id)
    assert (outcome(session), session["result_content"]) == (("completed", "success"), "Fixed.")
    expected = {"command": check, "tries": 2, "max_tries": 3, "passed": True, "output": "it is broken\n"}
    assert session["check"] == expected
    assert notes(sandbox, session_id) == [
        f"The check failed with exit code 1 (try 1 of 3): {check}",
        f"The check passed (try 2 of 3): {check}",
    ]
    assert user_messages(sandbox, session_id) == [
        "Go",
        f"The check `{check}` failed with exit code 1 (try 1 of 3). Its output:\n\nit is broken\n\n"
        "Fix what it reports. It runs again when you are done.",
    ]
    assert faults(sandbox, session_id) == []
    conversation = sandbox.ok("tail", session_id)
    assert "check: The check" in conversation
    assert "note: The check passed (try 2 of 3)" in conversation
    assert f"check                       passed: {check}" in sandbox.ok("show", session_id)
    for form in ("markdown", "html"):
        exported = sandbox.ok("export", session_id, "--format", form)
        assert "Output of the check" in exported
        assert "The check passed" in exported
    assert json.loads(sandbox.ok("export", session_id, "--format", "json"))["check"] == expected


def test_session_fails_after_the_last_try(sandbox: Sandbox) -> None:
    session_id = launch_checked(sandbox, "echo broken; exit 7", "--check-tries", "2")
    assert sandbox.run("wait", session_id).returncode == 1
    session = sandbox.show(session_id)
    assert outcome(session) == ("failed", "check_failed")
    assert session["error_message"] == "The check failed with exit code 7 (try 2 of 2): echo broken; exit 7\nbroken"
    assert (session["check"]["tries"], session["check"]["passed"], session["exit_code"]) == (2, False, 0)
    assert len(notes(sandbox, session_id)) == 2
    assert faults(sandbox, session_id) == []


def test_check_has_the_sessions_directory_and_environment(sandbox: Sandbox) -> None:
    options = ("--env", "PLANET=Mars", "--name", "nightly")
    session_id = launch_checked(sandbox, "env > variables; pwd; umask; cat", *options)
    session = sandbox.wait_for_end(session_id)
    assert session["check"]["output"] == f"{sandbox.work}\n0022\n"
    variables = dict(line.partition("=")[::2] for line in (sandbox.work / "variables").read_text().splitlines())
    assert (variables["PLANET"], variables["HLDCTL_NAME"], variables["HLDCTL_CHECK_TRY"]) == ("Mars", "nightly", "1")
    assert variables["HLDCTL_SESSION_ID"] == session_id
    assert "HLDCTL_COMMAND_TOKEN" not in variables


@pytest.mark.parametrize("command", ["exec ./appears", "cd .; no-such-program-anywhere"])
def test_check_that_cannot_be_run_is_not_repeated(sandbox: Sandbox, command: str) -> None:
    (sandbox.work / "appears").write_text("")
    session = sandbox.wait_for_end(launch_checked(sandbox, command))
    assert (outcome(session), session["check"]["tries"]) == (("failed", "check_failed"), 1)
    assert "cannot be run" in session["error_message"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--check", "no-such-program"], "--check begins with no-such-program"),
        (["--check", "if true"], "--check is not a command that /bin/sh can parse"),
        (["--check", "true", "--check-tries", "0"], "0"),
        (["--check", "true", "--check-tries", "few"], "few"),
    ],
)
def test_wrong_options_are_refused_before_the_start(sandbox: Sandbox, options: list[str], message: str) -> None:
    refused = sandbox.run("launch", "Go", *options)
    assert (refused.returncode, message in refused.stderr) == (2, True)
    assert not sandbox.state.sessions.exists()


def test_long_output_is_cut_in_the_middle(sandbox: Sandbox) -> None:
    """NUL bytes and bytes that are not UTF-8 are replaced; the file is bounded and has the end as well."""
    check = "printf 'first\\0\\377'; head -c 60000000 /dev/zero | tr '\\0' x; echo last; exit 1"
    session_id = launch_checked(sandbox, check, "--check-tries", "1")
    session = sandbox.wait_for_end(session_id)
    output = session["check"]["output"]
    assert output.startswith("first\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}xxx")
    assert output.endswith("xxlast\n")
    assert "bytes are left out here" in output
    assert 10_000 < len(output) < 10_200
    file = sandbox.files(session_id).check_output(1)
    assert 50_000_000 < file.stat().st_size < 50_010_000
    assert file.read_bytes().endswith(b"xxlast\n")
    assert file.stat().st_mode & 0o777 == 0o600


DAEMON = f"{sys.executable} -c " + shlex.quote(
    "import os, time\n"
    "for _ in range(2):\n"
    "    if os.fork(): os._exit(0)\n"
    "    os.setsid()\n"
    "os.closerange(0, 10)\n"
    "os.close(os.open('daemon', os.O_CREAT))\n"
    "os.execve('/usr/bin/tail', ['tail', '-f', '/dev/null', 'daemon'], {'HLDCTL_HOME': os.environ['HLDCTL_HOME']})"
)


def test_no_process_of_a_check_is_left(sandbox: Sandbox) -> None:
    check = f"tail -f /dev/null & setsid tail -f /dev/zero & {DAEMON}; until [ -e daemon ]; do sleep 0.05; done"
    session = sandbox.wait_for_end(launch_checked(sandbox, check))
    assert outcome(session) == ("completed", "success")
    assert sandbox.processes(lambda process: process.name() == "tail") == []


def test_what_claude_code_left_running_outlasts_the_check(sandbox: Sandbox) -> None:
    server = 'call Bash {"command": "setsid tail -f /dev/null > /dev/null 2>&1 &"}'
    script = f"{server}\n\nsay Done.\n\n[The check]\nsay Fixed."
    session_id = launch_checked(sandbox, "[ $HLDCTL_CHECK_TRY = 2 ]", script=script)
    session = sandbox.wait_for_end(session_id)
    assert outcome(session) == ("completed", "success")
    assert len(session["left_running"]) == 1
    kill(sandbox.processes(lambda process: process.name() == "tail"))


def test_timeout_ends_a_check_that_hangs(sandbox: Sandbox) -> None:
    session_id = launch_checked(sandbox, "setsid tail -f /dev/null & tail -f /dev/null", "--timeout", "3s")
    assert sandbox.run("wait", session_id).returncode == 124
    assert outcome(sandbox.show(session_id)) == ("failed", "timeout")
    assert "The check was stopped" in notes(sandbox, session_id)[0]
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_interrupt_ends_the_check_and_the_session(sandbox: Sandbox) -> None:
    session_id = launch_checked(sandbox, "echo begun >> runs; tail -f /dev/null")
    wait_for_check(sandbox)
    session = sandbox.show(session_id)
    activity = session["activity"]
    assert (session["status"], activity["kind"]) == ("running", "checking")
    assert activity["argument"] == "echo begun >> runs; tail -f /dev/null"
    assert session["check"]["passed"] is None
    refused = sandbox.run("interrupt", "--turn", session_id)
    assert (refused.returncode, "runs its check" in refused.stderr) == (4, True)
    sandbox.ok("interrupt", session_id)
    assert outcome(sandbox.show(session_id)) == ("interrupted", "interrupted")
    assert sandbox.processes(lambda process: process.name() == "tail") == []
    assert faults(sandbox, session_id) == []


def test_message_sent_during_a_check_that_fails_follows_its_output(sandbox: Sandbox) -> None:
    session_id = launch_checked(sandbox, f"{GATE}; test -e fixed", script=FIXING_SCRIPT + "\n\n[More]\nsay More.")
    wait_for_check(sandbox)
    with sandbox.popen("send", session_id, "More", "--now") as sender:
        eventually(lambda: sandbox.show(session_id)["pending_messages"], "the message")
        sandbox.release()
        assert sender.wait() == 0
    session = sandbox.wait_for_end(session_id)
    assert outcome(session) == ("completed", "success")
    query, output, message = user_messages(sandbox, session_id)
    assert (query, output[:9], message) == ("Go", "The check", "More")
    assert faults(sandbox, session_id) == []


def test_message_sent_during_a_check_that_passes_is_delivered_and_checked(sandbox: Sandbox) -> None:
    session_id = launch_checked(sandbox, GATE, "--check-tries", "1", script="say Done.\n\n[More]\nsay More.")
    wait_for_check(sandbox)
    with sandbox.popen("send", session_id, "More") as sender:
        eventually(lambda: sandbox.show(session_id)["pending_messages"], "the message")
        sandbox.release()
        assert sender.wait() == 0
    session = sandbox.wait_for_end(session_id)
    assert (outcome(session), session["result_content"]) == (("completed", "success"), "More.")
    assert (session["check"]["tries"], session["check"]["passed"]) == (2, True)
    assert user_messages(sandbox, session_id) == ["Go", "More"]


@pytest.mark.parametrize("adopter", ["guard", "command"])
def test_check_is_run_again_when_the_supervisor_is_killed(sandbox: Sandbox, adopter: str) -> None:
    check = f"setsid tail -f /dev/null & {GATE}; [ $HLDCTL_CHECK_TRY = 2 ]"
    session_id = launch_checked(sandbox, check, script=FIXING_SCRIPT)
    wait_for_check(sandbox)
    (tail,) = eventually(lambda: sandbox.processes(lambda process: process.name() == "tail"), "the other process")
    (supervisor,) = sandbox.supervisors()
    if adopter == "command":
        kill(sandbox.guards())
    kill_and_wait(supervisor)
    if adopter == "command":
        sandbox.ok("ls")
    eventually(lambda: (sandbox.work / "runs").read_text() == "begun\nbegun\n", "the second run")
    assert not tail.is_running() or tail.status() == psutil.STATUS_ZOMBIE
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert (outcome(session), session["check"]["tries"], session["exit_code"]) == (("completed", "success"), 2, 0)
    assert len(notes(sandbox, session_id)) == 2
    assert len(user_messages(sandbox, session_id)) == 2
    assert faults(sandbox, session_id) == []
    eventually(lambda: not sandbox.processes(), "all to leave")


def test_claude_code_that_ended_alone_is_checked_by_the_adopter(sandbox: Sandbox) -> None:
    session_id = launch_checked(
        sandbox,
        "echo begun >> runs",
        script='call Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Done.',
    )
    sandbox.wait_for_journal(session_id, "go-on")
    claude = psutil.Process(sandbox.show(session_id)["pid"])
    kill(sandbox.guards())
    kill(sandbox.supervisors())
    sandbox.release()
    eventually(lambda: not claude.is_running() or claude.status() == psutil.STATUS_ZOMBIE, "Claude Code to exit")
    assert not (sandbox.work / "runs").exists()
    session = sandbox.wait_for_end(session_id)
    assert (outcome(session), session["check"]["tries"]) == (("completed", "success"), 1)


def test_session_that_is_kept_open_is_checked_after_its_close(sandbox: Sandbox) -> None:
    session_id = launch_checked(sandbox, "echo begun >> runs; test -e fixed", "--keep-open", script=FIXING_SCRIPT)
    sandbox.ok("wait", "--until", "idle", session_id)
    assert not (sandbox.work / "runs").exists()
    assert sandbox.ok("close", session_id) == f"{session_id} completed\n"
    assert sandbox.show(session_id)["check"]["tries"] == 2


def test_continuation_inherits_the_check_and_can_turn_it_off(sandbox: Sandbox) -> None:
    session_id = launch_checked(sandbox, "echo begun >> runs", "--check-tries", "5")
    sandbox.wait_for_end(session_id)
    child = sandbox.wait_for_end(sandbox.ok("continue", session_id, "Again").strip())
    assert (child["check"]["command"], child["check"]["max_tries"]) == ("echo begun >> runs", 5)
    assert (sandbox.work / "runs").read_text() == "begun\nbegun\n"
    other = sandbox.wait_for_end(sandbox.ok("continue", session_id, "Again", "--check", "").strip())
    assert other["check"] is None


def test_check_can_be_configured(sandbox: Sandbox) -> None:
    sandbox.configure('check = "exit 1"\ncheck_tries = 1')
    sandbox.serve_script("say Done.")
    assert outcome(sandbox.wait_for_end(sandbox.launch("Go"))) == ("failed", "check_failed")


def test_budget_holds_over_all_tries(sandbox: Sandbox) -> None:
    """A run costs 0.50 dollars, so that half of one is left for the second."""
    script = 'say Done.\nusage input=100k\n\n[The check]\nusage input=100k\ncall Bash {"command": "true"}\n\nsay Fixed.'
    session = sandbox.wait_for_end(launch_checked(sandbox, "exit 1", "--max-budget-usd", "0.75", script=script))
    assert (outcome(session), session["check"]["tries"]) == (("failed", "budget"), 1)
    assert session["cost_usd"] < 1.1


def test_journal_is_replayed_with_the_notes_of_the_check(sandbox: Sandbox, tmp_path: Path) -> None:
    session_id = launch_checked(sandbox, "test -e fixed", script=FIXING_SCRIPT)
    session = sandbox.wait_for_end(session_id)
    before = sandbox.events(session_id)
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")
    for file in sandbox.state.root.glob("hldctl.db*"):
        file.unlink()
    os.utime(sandbox.files(session_id).directory, (0, 0))
    sandbox.run("doctor", "--fix")
    assert sandbox.events(session_id) == before
    assert sandbox.show(session_id)["check"] == session["check"]
