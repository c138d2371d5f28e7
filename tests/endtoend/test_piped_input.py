"""Standard input is added to a query if it was redirected for the command, and is otherwise left alone."""

from __future__ import annotations

import json
import socket
import subprocess

import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox

QUICK = 'print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "result": "ok"}))'


def run_script(sandbox: Sandbox, script: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    """Run a shell script in the work directory, with a file `list` of two lines."""
    (sandbox.work / "list").write_text("one\ntwo\n")
    sandbox.fake_claude(QUICK)
    return subprocess.run(
        [shell, "-c", script],
        cwd=sandbox.work,
        env=sandbox.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def queries(sandbox: Sandbox) -> list[str]:
    """Return the queries of all sessions, oldest first."""
    return [session["query"] for session in reversed(json.loads(sandbox.ok("ls", "--json")))]


@pytest.mark.parametrize(
    "script",
    [
        "cat list | hldctl launch Review",
        "(cat list; sleep 0.3; true) | hldctl launch -- Review",
        "hldctl launch Review < list",
        "hldctl launch -q Review < list; true",
        "printf Review > query; cat list | hldctl launch --query-file query",
        "cat list | nice timeout 60 hldctl launch Review",
    ],
    ids=["pipe", "slow pipe", "file", "file in a script", "query file", "wrapper"],
)
def test_redirected_input_is_added_to_the_query(sandbox: Sandbox, script: str) -> None:
    done = run_script(sandbox, script)
    assert done.returncode == 0
    assert queries(sandbox) == ["Review\none\ntwo\n"]


def test_piped_input_is_added_to_the_query_of_continue(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    sandbox.ok("continue", "last", "And this", "--wait", input="more\n")
    assert queries(sandbox) == ["Go", "And this\nmore\n"]


def test_file_that_may_be_the_callers_is_not_read_silently(sandbox: Sandbox) -> None:
    done = run_script(sandbox, "exec < list; hldctl launch Review; true")
    assert "8 bytes of standard input were added to the query" in done.stderr


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("source", ["done < list", "done"], ids=["file", "pipe"])
def test_loop_keeps_its_input(sandbox: Sandbox, source: str, shell: str) -> None:
    loop = f'while read -r line; do hldctl launch -q "Fix $line"; {source}'
    done = run_script(sandbox, loop if "<" in source else f"cat list | {loop}", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert queries(sandbox) == ["Fix one", "Fix two"]


@pytest.mark.parametrize(
    "script",
    [
        "hldctl launch Go < /dev/null",
        "hldctl launch Go <&-",
        "true | hldctl launch Go",
        "echo Go | xargs hldctl launch",
        "cat list | (hldctl launch Go; cat > rest)",
    ],
    ids=["null", "closed", "empty pipe", "xargs", "subshell"],
)
def test_launch_without_input_of_its_own_has_only_its_query(sandbox: Sandbox, script: str) -> None:
    done = run_script(sandbox, script)
    assert (done.returncode, done.stderr) == (0, "")
    assert queries(sandbox) == ["Go"]
    if "rest" in script:
        assert (sandbox.work / "rest").read_text() == "one\ntwo\n"


def test_open_pipe_without_data_does_not_block_a_launch(sandbox: Sandbox) -> None:
    sandbox.fake_claude(QUICK)
    with sandbox.popen("launch", "Go", stdin=subprocess.PIPE) as launcher:
        assert launcher.wait(TIMEOUT_SECONDS) == 0
        assert launcher.stderr is not None
        assert "nothing has arrived on standard input within 3 s" in launcher.stderr.read()
    assert queries(sandbox) == ["Go"]


def test_socket_is_left_alone(sandbox: Sandbox) -> None:
    """sshd and Node.js give a command a socket, which may stay open without data."""
    sandbox.fake_claude(QUICK)
    ours, theirs = socket.socketpair()
    with ours, theirs, sandbox.popen("launch", "Go", stdin=theirs.fileno()) as launcher:
        ours.sendall(b"unread")
        _, errors = launcher.communicate(timeout=TIMEOUT_SECONDS)
    assert (launcher.returncode, errors) == (0, "")
    assert queries(sandbox) == ["Go"]
