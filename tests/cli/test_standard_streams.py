"""Closed, full, broken and non-blocking standard streams: the exit code is that of the session, no output is lost."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import threading

import pytest

from tests.helpers.fake_claude_conversation import CONVERSATION
from tests.helpers.sandbox import TIMEOUT_SECONDS, Completed, Sandbox, eventually
from tests.helpers.seed_database import seed_sessions

BROKEN_PIPE = 141
"""The exit code of a program killed by SIGPIPE."""
UNWRITABLE = 6
STREAM = CONVERSATION + 'say("Said.")\ndone()\n'
MODES = {
    "launch": "launch Go",
    "quiet": "launch -q Go",
    "wait": "launch --wait Go",
    "wait-json": "launch --wait --json Go",
    "follow": "launch --follow Go",
}
REDIRECTIONS = {
    ">&-": 0,
    "2>&-": 0,
    "<&-": 0,
    ">&- 2>&-": 0,
    "<&- >&- 2>&-": 0,
    ">/dev/full": UNWRITABLE,
    "2>/dev/full": 0,
    ">/dev/full 2>/dev/full": UNWRITABLE,
    ">&GONE": BROKEN_PIPE,
    "2>&GONE": 0,
    ">&GONE 2>&GONE": BROKEN_PIPE,
    "</dev/full 1<&0": UNWRITABLE,
}
"""The exit code after a completed session by redirection. GONE is a pipe without a reader."""


def run(sandbox: Sandbox, command: str, redirection: str = "") -> Completed:
    """Run a command in a shell that redirects its streams."""
    reading, writing = os.pipe()
    os.close(reading)
    redirection = redirection.replace("GONE", str(writing))
    try:
        return subprocess.run(
            ["bash", "-c", f"{shlex.quote(sys.executable)} -m hldctl {command} {redirection}"],
            cwd=sandbox.work,
            env=sandbox.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=(writing,),
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_exit_code_is_that_of_the_session(sandbox: Sandbox, redirection: str, mode: str) -> None:
    sandbox.fake_claude(STREAM)
    done = run(sandbox, MODES[mode], redirection)
    assert (done.returncode, "Traceback" in done.stderr) == (REDIRECTIONS[redirection], False), done.stderr
    if "wait" not in mode:
        sandbox.run("wait", "last")
    session = sandbox.show("last")
    # It was launched once, and the command waited for its end.
    assert (session["status"], len(sandbox.ok("ls", "-q").split())) == ("completed", 1)
    if done.returncode and "2>" not in redirection:
        messages = {
            "launch": f"session {session['id']} was started, but its id could not be written",
            "quiet": f"session {session['id']} was started, but its id could not be written",
            "follow": f"session {session['id']} continues" if done.returncode == BROKEN_PIPE else "Cannot write output",
        }
        assert messages.get(mode, "Cannot write output") in done.stderr


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2>&GONE"])
def test_wait_continues_without_standard_error(sandbox: Sandbox, redirection: str) -> None:
    sandbox.fake_claude(CONVERSATION + 'call("a", "Bash", command="make")\npause("end")\ndone()\n')
    results: list[Completed] = []
    waiter = threading.Thread(target=lambda: results.append(run(sandbox, "launch --wait Go", redirection)))
    waiter.start()
    eventually(lambda: (ids := sandbox.ok("ls", "-q").split()) and sandbox.events(ids[0])[1:], "the call")
    assert waiter.is_alive()
    (sandbox.work / "end").touch()
    waiter.join(TIMEOUT_SECONDS)
    assert (results[0].returncode, results[0].stdout) == (0, "Done.\n")


def test_failed_session_keeps_its_exit_code(sandbox: Sandbox) -> None:
    sandbox.fake_claude("sys.exit('No such thing')")
    for redirection in (*REDIRECTIONS, ""):
        for command in ("launch --wait Go", "launch --wait --json Go", "wait --json last", "wait --results last"):
            done = run(sandbox, command, redirection)
            assert (done.returncode, "Traceback" in done.stderr) == (1, False), (command, redirection, done.stderr)


@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_wait_reports_results_that_cannot_be_written(sandbox: Sandbox, redirection: str) -> None:
    sandbox.fake_claude(STREAM)
    sandbox.wait_for_end(sandbox.launch("Go"))
    for command in ("wait --results last", "wait --json last"):
        done = run(sandbox, command, redirection)
        assert (done.returncode, "Traceback" in done.stderr) == (REDIRECTIONS[redirection], False), done.stderr


def test_messages_never_go_to_standard_output(sandbox: Sandbox) -> None:
    assert run(sandbox, "ls", "2>&-").stdout == ""
    assert run(sandbox, "show nothing", "2>&-").stdout == ""


COMMANDS = {
    0: [
        *("ls", "ls -q", "ls --json", "ls --format {id}", "show last", "show last --json", "show last --events"),
        *("tail last", "tail last --json", "tail last --raw", "approvals --all", "events", "events --json", "stats"),
        *("stats --json", "stats --csv", "export last", "export last --format html", "export last --format json"),
        *("config", "config --json", "wait last", "--version", "--help", "ls --help", "prune --dry-run --keep 1"),
        *("set last --title New", "wait --any last"),
    ],
    2: ["no-such-command", "ls --no-such-option", "ls --watch", "config get nothing"],
    3: ["show nothing", "tail nothing", "rm nothing", "export nothing"],
}
"""Commands by their expected exit code."""


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", ">&GONE", "2>/dev/full", "<&- >&- 2>&-"])
def test_no_command_prints_a_traceback(sandbox: Sandbox, redirection: str) -> None:
    sandbox.fake_claude(STREAM)
    sandbox.wait_for_end(sandbox.launch("Go"))
    for code, commands in COMMANDS.items():
        for command in commands:
            done = run(sandbox, command, redirection)
            assert "Traceback" not in done.stderr + done.stdout, (command, done.stderr)
            codes = {"/dev/full": {0, 5, UNWRITABLE}, "&GONE": {0, BROKEN_PIPE}}.get(redirection.removeprefix(">"), {0})
            assert done.returncode in (codes if code == 0 else {code}), (command, done.stderr)


@pytest.mark.parametrize(
    "command",
    ["ls --json", "tail ID", "show ID --events", "show ID --events --json", "tail ID --raw", "export ID"],
)
def test_non_blocking_standard_output_loses_nothing(sandbox: Sandbox, command: str) -> None:
    (session_id, *_) = seed_sessions(sandbox.state.root, 200, 1500)
    files = sandbox.files(session_id)
    files.directory.mkdir(parents=True)
    files.journal.write_bytes(b'{"type": "unknown"}\n' * 50_000)
    arguments = command.replace("ID", session_id).split()
    expected = sandbox.ok(*arguments)
    assert len(expected) > 200_000
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with sandbox.popen(*arguments, stdout=writing) as process:
        # The pipe is full before anything is read.
        eventually(lambda: is_full(writing), "a full pipe")
        # The parent's own end stays non-blocking.
        assert not os.get_blocking(writing)
        os.close(writing)
        with open(reading) as pipe:
            assert without_export_time(pipe.read()) == without_export_time(expected)
        assert process.wait(TIMEOUT_SECONDS) == 0


def without_export_time(text: str) -> list[str]:
    """Return the lines without the one that has the time of the export."""
    return [line for line in text.split("\n") if "Exported by hldctl" not in line]


def is_full(writing: int) -> bool:
    return not select.select([], [writing], [], 0)[1]
