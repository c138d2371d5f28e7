"""Independence of a session from its launcher, its terminal and its supervisor."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.helpers.sandbox import GATED_SCRIPT, TIMEOUT_SECONDS, Sandbox, count_wakeups, eventually, wait_until_asleep


def test_launch_in_a_command_substitution_returns_at_once(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Begun.\nhang")
    shell = f'id=$({sys.executable} -m hldctl launch Hello); echo "$id"'
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=sandbox.work,
        env=sandbox.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    session_id = done.stdout.strip()
    assert sandbox.show(session_id)["status"] == "running"
    sandbox.ok("interrupt", session_id)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_session_survives_its_shell(sandbox: Sandbox, number: signal.Signals) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    shell = subprocess.Popen(
        ["sh", "-c", f"{sys.executable} -m hldctl launch Hello --allowed-tools Bash; exec sleep 60"],
        cwd=sandbox.work,
        env=sandbox.environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert shell.stdout is not None
    session_id = shell.stdout.readline().strip()
    os.killpg(shell.pid, number)
    shell.wait(TIMEOUT_SECONDS)
    shell.stdout.close()
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"


def test_session_survives_the_closing_of_its_terminal(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(sandbox.work)
        command = f"{sys.executable} -m hldctl launch Hello --allowed-tools Bash > {sandbox.root}/id; sleep 60"
        os.execve("/bin/sh", ["sh", "-c", command], sandbox.environment)
    id_file = Path(sandbox.root / "id")
    eventually(lambda: id_file.exists() and id_file.read_text().strip(), "the id")
    os.close(terminal)
    os.waitpid(pid, 0)
    sandbox.release()
    assert sandbox.wait_for_end(id_file.read_text().strip())["end_reason"] == "success"


def test_supervisor_keeps_no_descriptor_of_its_launcher(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    read, write = os.pipe()
    done = sandbox.popen("launch", "Hello", "--allowed-tools", "Bash", pass_fds=[write])
    os.close(write)
    session_id = done.communicate(timeout=TIMEOUT_SECONDS)[0].strip()
    # End of file: no process has the other end open.
    assert os.read(read, 1) == b""
    os.close(read)
    session = sandbox.show(session_id)
    for pid in (session["supervisor_pid"], session["pid"]):
        standard = [str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in (0, 1, 2)]
        assert all(path == "/dev/null" or path.startswith(str(sandbox.state.root)) for path in standard), standard
    assert os.getsid(session["supervisor_pid"]) == session["supervisor_pid"]
    assert os.getsid(session["pid"]) == session["pid"]
    sandbox.run("interrupt", session_id)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_supervisor_ignores_sighup_sigint_and_sigterm(sandbox: Sandbox, number: signal.Signals) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    supervisor = sandbox.show(session_id)["supervisor_pid"]
    os.kill(supervisor, number)
    sandbox.release()
    session = sandbox.wait_for_end(session_id)
    assert session["end_reason"] == "success"
    assert session["supervisor_pid"] == supervisor


def test_claude_has_default_signals_and_the_launchers_umask(sandbox: Sandbox) -> None:
    # Claude Code blocks all signals while it starts a tool, and the tool may run before they are unblocked.
    unblocked = "for try in $(seq 50); do grep -q 'SigBlk:.0*$' /proc/$PPID/status && break; sleep 0.1; done"
    look = f"{unblocked}; grep -E ^Sig /proc/$PPID/status; umask; touch made"
    sandbox.serve_script(f"call Bash {json.dumps({'command': look})}\n\nsay Done.")
    launch = f"umask 027; trap '' INT HUP; {sys.executable} -m hldctl launch Hello --wait --allowed-tools Bash"
    subprocess.run(["sh", "-c", launch], cwd=sandbox.work, env=sandbox.environment, check=True, capture_output=True)
    (session_id,) = sandbox.ok("ls", "-q").split()
    (result,) = [event for event in sandbox.events(session_id) if event["event_type"] == "tool_result"]
    masks = dict(line.split(":\t") for line in result["tool_result_content"].splitlines() if ":\t" in line)
    interrupts = 1 << (signal.SIGINT - 1)
    assert int(masks["SigBlk"], 16) == 0
    assert not int(masks["SigIgn"], 16) & interrupts
    assert result["tool_result_content"].rstrip().endswith("027")
    assert (sandbox.work / "made").stat().st_mode & 0o777 == 0o640


def test_silent_session_costs_its_supervisor_nothing(sandbox: Sandbox) -> None:
    sandbox.serve_script("hang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, '"init"')
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    wait_until_asleep(supervisor)
    before = count_wakeups(supervisor)
    # A second of silence, measured by another process of the session; hldctl must not wake up in it.
    subprocess.run(["sleep", "2"], check=True)
    assert count_wakeups(supervisor) - before <= 2
    sandbox.ok("interrupt", session_id)


def test_follower_checks_a_silent_session_once_a_second(sandbox: Sandbox) -> None:
    """The follower checks whether the supervisor is alive, since nothing reports its death."""
    sandbox.serve_script("hang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, '"init"')
    with sandbox.popen("tail", "-f", session_id) as follower:
        process = psutil.Process(follower.pid)
        assert follower.stdout is not None
        assert "Hello" in follower.stdout.readline()
        wait_until_asleep(process)
        before = count_wakeups(process)
        subprocess.run(["sleep", "3"], check=True)
        assert count_wakeups(process) - before <= 6
        process.kill()
    sandbox.ok("interrupt", session_id)


def test_follow_prints_each_event_and_ends_with_the_session(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Begun.\nwait 2s\nsay Finished.")
    session_id = sandbox.launch("Hello")
    with sandbox.popen("tail", "-f", "--json", session_id) as follower:
        assert follower.stdout is not None
        followed = [json.loads(line) for line in follower.stdout]
    assert follower.returncode == 0
    assert [event["content"] for event in followed] == ["Hello", "Begun.", "Finished."]
    assert followed == sandbox.events(session_id)
