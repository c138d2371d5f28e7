"""The output of each command at a terminal; `snapshots/README.md` explains how to renew the snapshots."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hldctl.cli.app import COMMANDS
from tests.helpers.fake_claude_conversation import read_program
from tests.helpers.sample_sessions import HOUR_MS, PADDING_MS, SNAPSHOTS, compare_with_snapshot, insert_request
from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

CLAUDE = read_program("each_command.py")

OTHER_SNAPSHOTS = {"ls": "ls-80", "show": "show-completed-80", "tail": "tail_80", "top": "top-80"}
"""Commands with more kinds of sessions, in test_screens.py, views/test_follow.py and views/test_top.py."""

WITHOUT_SNAPSHOTS = {"send", "answer", "close", "open", "import", "diff", "land", "fleet", "mcp"}
"""Commands that print an id at most, hand the terminal over to another program, need a server, or are one."""

# Parts that differ between machines or runs, and what they are replaced with.
_REPLACEMENTS = {
    r"\d{4}-\d\d-\d\dT[\d:.]+Z": "2026-11-23T12:00:00.000Z",
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC": "2026-11-23 12:00 UTC",
    r"/tmp/hldctl-\w{8}": "/tmp/hldctl-11111111",
    r"hldctl: [\d.]+ on Python [\d.]+, \w+": "hldctl: 1.2.3 on Python 3.11.1, Linux",
    r"SQLite: [\d.]+": "SQLite: 3.1.2",
    r"file system: .*": "file system: ext4",
    r"disk: .*": "disk: 100.0 GB free",
    r"[\d.]+ MB": "0.1 MB",
    r"/\S*/hldctl/__main__\.py": "/usr/bin/hldctl",
}

WIDE = 400
"""Columns of a terminal for lines whose length depends on the machine."""


@pytest.fixture
def short_sandbox(genuine_claude: Path) -> Iterator[Sandbox]:
    # Table columns are as wide as the paths in them.
    with tempfile.TemporaryDirectory(prefix="hldctl-", dir="/tmp") as directory:
        sandbox = Sandbox(Path(directory) / "sandbox")
        try:
            yield sandbox
        finally:
            sandbox.close()


def test_output_of_each_command_matches_snapshot(short_sandbox: Sandbox) -> None:
    short_sandbox.fake_claude(CLAUDE)
    terminal = _Session(short_sandbox)
    terminal.run("launch", "Let the parser take semicolons, too")
    terminal.run("wait", "last", "--results")
    terminal.run("continue", "last", "And document it", "--wait")
    terminal.run("set", "last", "--title", "Semicolons")
    short_sandbox.sql("UPDATE sessions SET started_at = completed_at - duration_ms WHERE completed_at IS NOT NULL")
    terminal.run("export", "last")
    terminal.run("stats", "--by", "status")
    terminal.run("events", columns=WIDE)
    terminal.run("config", columns=WIDE)
    terminal.run("doctor", columns=WIDE)
    terminal.run("schema")
    three_hours_ago = time.time_ns() // 1_000_000 - 3 * HOUR_MS - PADDING_MS
    short_sandbox.sql("UPDATE conversation_events SET created_at = ?", three_hours_ago)
    terminal.run("search", "parser")
    pushing = short_sandbox.launch("Push it", "-q")
    terminal.add_id(pushing)
    short_sandbox.wait_for_journal(pushing, "git push")
    for approval in ("a0a0a0a0-0000", "b0b0b0b0-0000"):
        insert_request(short_sandbox, pushing, approval)
    short_sandbox.sql("UPDATE approvals SET created_at = ?", three_hours_ago)
    terminal.run("approvals")
    terminal.run("approve", "a0a0", "--comment", "fine")
    terminal.run("deny", "b0b0", "--message", "Not with --force.")
    terminal.run("interrupt", pushing)
    terminal.run("prune", "--keep", "1", "--force")
    terminal.run("rm", "last")
    assert terminal.screens.keys() == COMMANDS.keys() - OTHER_SNAPSHOTS.keys() - WITHOUT_SNAPSHOTS
    for command, screen in terminal.screens.items():
        compare_with_snapshot(command, screen)


def test_remaining_commands_have_snapshots() -> None:
    for name in OTHER_SNAPSHOTS.values():
        assert (SNAPSHOTS / f"{name}.txt").read_text()


class _Session:
    """Commands run one after another at a terminal, and the screen of each."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._ids: dict[str, str] = {}
        self.screens: dict[str, str] = {}

    def run(self, command: str, *arguments: str, columns: int = 80) -> None:
        with Terminal(self._sandbox, command, *arguments, columns=columns, lines=60) as terminal:
            code, output = terminal.wait_for_exit()
            assert code == 0, output
            self.screens[command] = self._normalize("\n".join(terminal.screen()).rstrip() + "\n")

    def add_id(self, session_id: str) -> None:
        self._ids.setdefault(session_id, f"{len(self._ids) + 1:08d}-1111-2222-3333-444444444444")

    def _normalize(self, text: str) -> str:
        """Replace what differs between machines and runs."""
        for session_id in re.findall(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", text):
            self.add_id(session_id)
        for session_id, fixed_id in self._ids.items():
            text = text.replace(session_id, fixed_id).replace(session_id[:8], fixed_id[:8])
        for pattern, replacement in _REPLACEMENTS.items():
            text = re.sub(pattern, replacement, text)
        return text
