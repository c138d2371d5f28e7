"""Answers that arrive while a hook ends or does not check."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess

import psutil

from hldctl.permission_hook.command import build_hook_command
from tests.helpers.approvals import HOOK_REQUEST, all_requests, launch_with_approvals, wait_for_requests
from tests.helpers.sandbox import TIMEOUT_SECONDS, Json, Sandbox, eventually


def start_hook(sandbox: Sandbox, session_id: str) -> subprocess.Popen[str]:
    """Start a hook as Claude Code does, and send its request."""
    hook = subprocess.Popen(
        shlex.split(build_hook_command(session_id, sandbox.state.root)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # With the marker, so that the sandbox finds the process.
        env={"HLDCTL_HOME": str(sandbox.state.root)},
        text=True,
    )
    assert hook.stdin is not None
    with hook.stdin as stdin:
        stdin.write(HOOK_REQUEST)
    return hook


def stop(hook: subprocess.Popen[str]) -> None:
    os.kill(hook.pid, signal.SIGSTOP)
    process = psutil.Process(hook.pid)
    eventually(lambda: process.status() == psutil.STATUS_STOPPED, "the hook to stop")


def decision(hook: subprocess.Popen[str]) -> Json:
    assert hook.stdout is not None
    with hook.stdout as stdout:
        decision: Json = json.loads(stdout.read())["hookSpecificOutput"]["decision"]
    assert hook.wait(TIMEOUT_SECONDS) == 0
    return decision


def test_last_moment_answer_wins_over_the_expiry(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, "say Hi.\nhang")
    hook = start_hook(sandbox, session_id)
    (request,) = wait_for_requests(sandbox)
    # The request is answered, and Claude Code withdraws it, before the hook checks again.
    stop(hook)
    sandbox.ok("approve", request["id"])
    os.kill(hook.pid, signal.SIGTERM)
    os.kill(hook.pid, signal.SIGCONT)
    assert decision(hook) == {"behavior": "allow"}
    assert [each["status"] for each in all_requests(sandbox)] == ["approved"]
    sandbox.ok("interrupt", session_id)


def test_answer_with_always_wakes_pending_requests(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, "say Hi.\nhang")
    hooks = [start_hook(sandbox, session_id), start_hook(sandbox, session_id)]
    requests = wait_for_requests(sandbox, count=2)
    pids = {
        request["id"]: sandbox.sql("SELECT hook_pid FROM approvals WHERE id = ?", request["id"])[0][0]
        for request in requests
    }
    first, second = requests[0]["id"], requests[1]["id"]
    other = next(hook for hook in hooks if hook.pid == pids[second])
    stop(other)
    file = sandbox.files(session_id).answer_signal(second)
    before = file.stat().st_mtime_ns
    sandbox.ok("approve", first, "--always")
    assert file.stat().st_mtime_ns > before
    os.kill(other.pid, signal.SIGCONT)
    assert [decision(hook) for hook in hooks] == [{"behavior": "allow"}] * 2
    assert {each["id"]: each["answered_by"] == "a rule" for each in all_requests(sandbox)} == {
        first: False,
        second: True,
    }
    sandbox.ok("interrupt", session_id)
