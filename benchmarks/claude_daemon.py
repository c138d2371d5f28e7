"""Claude Code's own background sessions (`claude --bg`), connected to the scripted API."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import psutil

from benchmarks.timing import Command, NotMeasured
from tests.helpers.sandbox import Sandbox, claude_binary, kill

_IDLE_CHECK_SECONDS = 0.25
# Share of one core below which the machine counts as idle and the next command may run.
_IDLE_SHARE = 0.1
_IDLE_TIMEOUT = 5.0
_REQUEST_TIMEOUT = 30.0


def claude_command(sandbox: Sandbox, *arguments: str) -> Command:
    return Command([claude_binary(), *arguments], sandbox.environment, sandbox.work)


def prepare(sandbox: Sandbox) -> None:
    """Answer the first-run dialogs, start the daemon and wait until it is idle."""
    answers = {
        "hasCompletedOnboarding": True,
        "projects": {str(sandbox.work): {"hasTrustDialogAccepted": True}},
        # Keys are identified by their last 20 characters; an unapproved key blocks a session forever (2.1.330).
        "customApiKeyResponses": {"approved": [sandbox.environment["ANTHROPIC_API_KEY"][-20:]], "rejected": []},
    }
    (sandbox.home / ".claude.json").write_text(json.dumps(answers))
    start_session(sandbox, "Warm up.")


def start_session(sandbox: Sandbox, prompt: str) -> float:
    """Return the milliseconds that `claude --bg` took.

    Before this function returns, the session has sent its request to the model and has been stopped. Raise
    NotMeasured if the output names no session or if no request arrives.
    """
    launched = claude_command(sandbox, "--bg", prompt).run()
    words = launched.output.split()
    if "stop" not in words:
        raise NotMeasured(f"`claude --bg` names no session: {launched.output[:200]}")
    _wait_for_request(sandbox, prompt)
    claude_command(sandbox, "stop", words[words.index("stop") + 1]).run()
    wait_until_idle(sandbox)
    return launched.wall_ms


def _wait_for_request(sandbox: Sandbox, prompt: str) -> None:
    assert sandbox.server is not None
    deadline = time.monotonic() + _REQUEST_TIMEOUT
    while not any(prompt in json.dumps(request) for request in list(sandbox.server.requests)):
        if time.monotonic() > deadline:
            raise NotMeasured(f"`claude --bg` sent no request to the model within {_REQUEST_TIMEOUT:.0f} s")
        time.sleep(0.02)


def wait_until_idle(sandbox: Sandbox) -> None:
    """Wait until the processes of the sandbox use almost no processor time, for at most `_IDLE_TIMEOUT` seconds."""
    deadline = time.monotonic() + _IDLE_TIMEOUT
    before = _cpu_seconds(sandbox)
    while time.monotonic() < deadline:
        time.sleep(_IDLE_CHECK_SECONDS)
        now = _cpu_seconds(sandbox)
        if now - before < _IDLE_SHARE * _IDLE_CHECK_SECONDS:
            return
        before = now


def stop_daemon(sandbox: Sandbox) -> None:
    """Kill the daemon and all its descendants."""
    kill(sandbox.processes())


def remove_sockets(sandbox: Sandbox) -> None:
    """Remove the daemon's sockets: outside HOME, in a directory named by a hash of the configuration's (2.1.330)."""
    configuration = str(sandbox.home / ".claude")
    name = hashlib.sha256(configuration.encode()).hexdigest()[:8]
    directory = Path("/tmp", f"cc-daemon-{os.getuid()}")
    shutil.rmtree(directory / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        # Other daemons may have sockets in it; then it is not empty and stays.
        directory.rmdir()


def _cpu_seconds(sandbox: Sandbox) -> float:
    total = 0.0
    for process in sandbox.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total
