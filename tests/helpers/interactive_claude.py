"""The interactive Claude Code in a terminal: its first questions answered beforehand, and words typed into it."""

from __future__ import annotations

import json

from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal


def prepare(sandbox: Sandbox) -> None:
    """Answer what Claude Code asks at its first start (2.1.332): the theme, the API key, and trust in the directory.

    Call it while no Claude Code runs: a running one writes the same file, and may undo this.
    """
    file = sandbox.home / ".claude.json"
    configuration = json.loads(file.read_text()) if file.exists() else {}
    key = sandbox.environment["ANTHROPIC_API_KEY"]
    configuration |= {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [key[-20:]], "rejected": []},
        "projects": {str(sandbox.work): {"hasTrustDialogAccepted": True}},
    }
    file.write_text(json.dumps(configuration))


def say(terminal: Terminal, text: str, answer: str) -> None:
    """Type a message once Claude Code waits for one, and wait for the answer."""
    type_line(terminal, text)
    terminal.wait_for_screen(answer)


def type_line(terminal: Terminal, text: str) -> None:
    """Type a line once Claude Code waits for one."""
    terminal.wait_for_screen("❯")
    terminal.enter(text)
    terminal.wait_for_screen(text)
    terminal.enter("\r")


def leave(terminal: Terminal) -> None:
    """Leave Claude Code."""
    type_line(terminal, "/exit")
