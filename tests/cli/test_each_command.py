"""What each command says to a person, once; `snapshots/README.md` says how to renew what is expected."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hldctl.cli.app import COMMANDS
from tests.helpers.fake_claude_conversation import read_program
from tests.helpers.sample_sessions import HOUR, PADDING, SCREENS, ask, compare
from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

CLAUDE = read_program("each_command.py")

ELSEWHERE = {"ls": "ls-80", "show": "show-completed-80", "tail": "tail_80", "top": "top-80"}
"""With more kinds of sessions, in test_screens.py, views/test_follow.py and views/test_top.py."""

_DIFFERENT = {
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
"""On each machine or in each run."""

WIDE = 400
"""Columns for lines whose length depends on the machine."""


@pytest.fixture
def place(genuine_claude: Path) -> Iterator[Sandbox]:
    # Tables are as wide as the paths in them.
    with tempfile.TemporaryDirectory(prefix="hldctl-", dir="/tmp") as directory:
        sandbox = Sandbox(Path(directory) / "sandbox")
        try:
            yield sandbox
        finally:
            sandbox.close()


def test_output_of_each_command_matches_snapshot(place: Sandbox) -> None:
    place.claude(CLAUDE)
    story = _Story(place)
    story.tell("launch", "Let the parser take semicolons, too")
    story.tell("wait", "last", "--results")
    story.tell("continue", "last", "And document it", "--wait")
    story.tell("set", "last", "--title", "Semicolons")
    story.tell("export", "last")
    story.tell("stats", "--by", "status")
    story.tell("events", columns=WIDE)
    story.tell("config", columns=WIDE)
    story.tell("doctor", columns=WIDE)
    pushing = place.launch("Push it", "-q")
    story.know(pushing)
    place.journal_has(pushing, "git push")
    for approval in ("a0a0a0a0-0000", "b0b0b0b0-0000"):
        ask(place, pushing, approval)
    place.sql("UPDATE approvals SET created_at = ?", time.time_ns() // 1_000_000 - 3 * HOUR - PADDING)
    story.tell("approvals")
    story.tell("approve", "a0a0", "--comment", "fine")
    story.tell("deny", "b0b0", "--message", "Not with --force.")
    story.tell("interrupt", pushing)
    story.tell("prune", "--keep", "1")
    story.tell("rm", "last")
    assert story.screens.keys() == COMMANDS.keys() - ELSEWHERE.keys()
    for command, screen in story.screens.items():
        compare(command, screen)


def test_remaining_commands_have_snapshots() -> None:
    for name in ELSEWHERE.values():
        assert (SCREENS / f"{name}.txt").read_text()


class _Story:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._ids: dict[str, str] = {}
        self.screens: dict[str, str] = {}

    def tell(self, command: str, *arguments: str, columns: int = 80) -> None:
        with Terminal(self._sandbox, command, *arguments, columns=columns, lines=60) as terminal:
            code, said = terminal.ended()
            assert code == 0, said
            self.screens[command] = self._same("\n".join(terminal.screen()).rstrip() + "\n")

    def know(self, session_id: str) -> None:
        self._ids.setdefault(session_id, f"{len(self._ids) + 1:08d}-1111-2222-3333-444444444444")

    def _same(self, text: str) -> str:
        """Without what is different on each machine and in each run."""
        for session_id in re.findall(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", text):
            self.know(session_id)
        for session_id, same in self._ids.items():
            text = text.replace(session_id, same).replace(session_id[:8], same[:8])
        for different, same in _DIFFERENT.items():
            text = re.sub(different, same, text)
        return text
