"""What Claude Code itself has for sessions in the background, with the scripted API behind it."""

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

_CALM_SECONDS = 0.25
_CALM_SHARE = 0.1
"""Of one core, below which a machine counts as free for the next command."""
_LONGEST_CALMING = 5.0
_PATIENCE = 30.0


def claude_command(sandbox: Sandbox, *words: str) -> Command:
    return Command([claude_binary(), *words], sandbox.environment, sandbox.work)


def prepare(sandbox: Sandbox) -> None:
    """Answers what a new user is asked, once and for all, starts the daemon and lets it come to rest."""
    answers = {
        "hasCompletedOnboarding": True,
        "projects": {str(sandbox.work): {"hasTrustDialogAccepted": True}},
        # Known by their ends; one that nobody has approved of holds a session back for good (2.1.330).
        "customApiKeyResponses": {"approved": [sandbox.environment["ANTHROPIC_API_KEY"][-20:]], "rejected": []},
    }
    (sandbox.home / ".claude.json").write_text(json.dumps(answers))
    start_session(sandbox, "Warm up.")


def start_session(sandbox: Sandbox, prompt: str) -> float:
    """Milliseconds until `claude --bg` returns. Before this does, the session has asked the model and been stopped."""
    begun = claude_command(sandbox, "--bg", prompt).run()
    words = begun.output.split()
    if "stop" not in words:
        raise NotMeasured(f"`claude --bg` names no session: {begun.output[:200]}")
    _wait_for_request(sandbox, prompt)
    claude_command(sandbox, "stop", words[words.index("stop") + 1]).run()
    wait_until_idle(sandbox)
    return begun.wall_ms


def _wait_for_request(sandbox: Sandbox, prompt: str) -> None:
    assert sandbox.server is not None
    deadline = time.monotonic() + _PATIENCE
    while not any(prompt in json.dumps(request) for request in list(sandbox.server.requests)):
        if time.monotonic() > deadline:
            raise NotMeasured(f"`claude --bg` has not asked the model after {_PATIENCE:.0f} s")
        time.sleep(0.02)


def wait_until_idle(sandbox: Sandbox) -> None:
    """Waits until what was started from here uses next to no processor, or for some seconds."""
    deadline = time.monotonic() + _LONGEST_CALMING
    before = _cpu_seconds(sandbox)
    while time.monotonic() < deadline:
        time.sleep(_CALM_SECONDS)
        now = _cpu_seconds(sandbox)
        if now - before < _CALM_SHARE * _CALM_SECONDS:
            return
        before = now


def stop_daemon(sandbox: Sandbox) -> None:
    """Kills the daemon and all that it has started."""
    kill(sandbox.processes())


def remove_sockets(sandbox: Sandbox) -> None:
    """They are outside of HOME (2.1.330): in a directory named after the configuration's."""
    configuration = str(sandbox.home / ".claude")
    name = hashlib.sha256(configuration.encode()).hexdigest()[:8]
    directory = Path("/tmp", f"cc-daemon-{os.getuid()}")
    shutil.rmtree(directory / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        # Others may have theirs in it.
        directory.rmdir()


def _cpu_seconds(sandbox: Sandbox) -> float:
    used = 0.0
    for process in sandbox.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used += times.user + times.system
    return used
